// SPDX-License-Identifier: Apache-2.0
import Foundation
import GatewayHarness
import Glibc
import Synchronization

/// A server under `Scripts/guard.py`, in a directory of its own. The guard ends the server and removes the directory
/// as soon as the lifeline, a socket whose other end this process alone holds, is closed: by `stop`, by the last
/// reference going or by the end of the test process, even by SIGKILL.
final class ServerProcess: Sendable {
    let directory: URL
    private let guardProcess: Mutex<Process?>
    private let lifeline: Int32

    /// - Parameter command: the program and its arguments.
    init(directory: URL, command: [String], environment: [String: String]) throws(S3ServerError) {
        self.directory = directory
        var ends: (Int32, Int32) = (-1, -1)
        let status = unsafe withUnsafeMutableBytes(of: &ends) {
            // A pair of sockets is closed on exec from its birth: no other child of ours may hold the lifeline.
            unsafe socketpair(
                AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0,
                $0.assumingMemoryBound(to: Int32.self).baseAddress)
        }
        guard status == 0 else { throw .system("socketpair failed with errno \(errno)") }
        let process = GatewayUnderTest.process(
            "python3", [S3Tools.script("guard.py"), directory.path] + command)
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.currentDirectoryURL = directory
        process.standardInput = FileHandle(fileDescriptor: ends.0, closeOnDealloc: true)
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        do { try process.run() } catch {
            close(ends.1)
            throw .system("\(command.first ?? ""): \(error)")
        }
        lifeline = ends.1
        guardProcess = Mutex(process)
    }

    deinit { stop() }

    /// The server's process group; nil until the guard has started it.
    var processGroup: pid_t? {
        guard let text = try? String(contentsOf: directory.appendingPathComponent("server.pid"), encoding: .utf8) else {
            return nil
        }
        return pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines))
    }

    /// False once the program has ended; true while the guard has not started it yet.
    var isRunning: Bool {
        guard let group = processGroup else { return guardProcess.withLock { $0?.isRunning ?? false } }
        return kill(-group, 0) == 0
    }

    var log: String {
        let data = (try? Data(contentsOf: directory.appendingPathComponent("server.log"))) ?? Data()
        return String(decoding: data.suffix(4000), as: UTF8.self)
    }

    /// Returns when the server is gone and its directory too.
    func stop() {
        guardProcess.withLock { process in
            guard let running = process else { return }
            process = nil
            close(lifeline)
            running.waitUntilExit()
        }
    }
}
