// SPDX-License-Identifier: Apache-2.0
package import Bus
import Glibc
package import Messages
package import Platform

/// Where the services of one machine find each other: a directory of sockets, each with a lock that says whether its
/// process lives. Nothing in it has to survive.
package struct RunDirectory: Sendable {
    package let path: DirectoryPath
    package init(_ path: DirectoryPath) { self.path = path }

    /// More processes of one kind than this on one machine are a mistake.
    private static let slotLimit = 64

    /// F_OFD_GETLK and F_OFD_SETLK of Linux's fcntl.h, which Glibc's module hides.
    private static let getLock: Int32 = 36
    private static let setLock: Int32 = 37

    /// One process as the directory shows it; `ServiceDirectory` is for those who want to ask it.
    package struct Entry: Hashable, Sendable {
        package var kind: ServiceKind
        package var number: Int
        /// Some process holds the slot; it may still be starting, stopped or stuck.
        package var isRunning: Bool
        /// As the process wrote it; nil if it wrote none.
        package var processID: Int32?
        package var name: String { "\(kind.shortName)-\(number)" }
        fileprivate var path: String
        /// Where it answers requests.
        package func endpoint() throws(BusError) -> Endpoint { try Endpoint(path: path + ".sock") }
        /// Where it takes I/O messages, if it is a service that does.
        package func dataEndpoint() throws(BusError) -> Endpoint { try Endpoint(path: path + ".data.sock") }
    }

    /// Takes the lowest free slot, so that a restarted service comes back under its old name.
    package func claim(_ kind: ServiceKind) throws(SystemError) -> RunSlot {
        for number in 0..<Self.slotLimit {
            let file = path.appending("\(kind.shortName)-\(number)")
            guard let descriptor = try lock(file + ".lock") else { continue }
            do {
                try FileSystem.replace(file + ".pid", with: "\(getpid())\n")
            } catch {
                close(descriptor)
                throw error
            }
            return RunSlot(kind: kind, number: number, path: file, descriptor: descriptor)
        }
        throw SystemError(errorNumber: EAGAIN, call: "lock", path: path.appending("\(kind.shortName)-*.lock"))
    }

    /// The processes that run or have died, by kind and number; those that ended on purpose have left.
    package func entries() throws(SystemError) -> [Entry] {
        var entries: [Entry] = []
        for name in try FileSystem.list(path.path) where name.hasSuffix(".lock") {
            let parts = name.dropLast(".lock".count).split(separator: "-", omittingEmptySubsequences: false)
            guard parts.count == 2, let kind = ServiceKind(shortName: String(parts[0])), let number = Int(parts[1])
            else { continue }
            let file = path.appending("\(kind.shortName)-\(number)")
            let entry = Entry(
                kind: kind, number: number, isRunning: isLocked(file + ".lock"),
                processID: Self.processID(file + ".pid"), path: file)
            if entry.isRunning || entry.processID != nil { entries.append(entry) }
        }
        return entries.sorted { ($0.kind.rawValue, $0.number) < ($1.kind.rawValue, $1.number) }
    }

    /// The processes of a kind, living or dead: one that is being restarted will be back under its name.
    package func entries(of kind: ServiceKind) throws(SystemError) -> [Entry] {
        try entries().filter { $0.kind == kind }
    }

    package static func processID(_ path: String) -> Int32? {
        guard let bytes = try? FileSystem.readFile(path, limit: 32), let text = String(validating: bytes, as: UTF8.self)
        else { return nil }
        return Int32(text.prefix { $0.isASCII && $0.isNumber })
    }

    /// Writes who holds a lock into it, for messages; `replace` would make another file of it.
    package func note(_ processID: Int32, in lock: Int32) {
        let text = Array("\(processID)\n".utf8)
        guard ftruncate(lock, 0) == 0 else { return }
        unsafe _ = text.withUnsafeBytes { unsafe pwrite(lock, $0.baseAddress, $0.count, 0) }
    }

    /// nil if another process holds it. The descriptor is the lock.
    package func lock(_ file: String) throws(SystemError) -> Int32? {
        let descriptor = unsafe open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .last("open", path: file) }
        var whole = Self.wholeFile
        if unsafe fcntl(descriptor, Self.setLock, &whole) == 0 { return descriptor }
        let error = SystemError.last("lock", path: file)
        close(descriptor)
        guard error.errorNumber == EAGAIN || error.errorNumber == EACCES else { throw error }
        return nil
    }

    /// Asks without taking: a test lock could be in the way of a service that starts at this moment.
    private func isLocked(_ file: String) -> Bool {
        let descriptor = unsafe open(file, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var whole = Self.wholeFile
        return unsafe fcntl(descriptor, Self.getLock, &whole) == 0 && whole.l_type != Int16(F_UNLCK)
    }

    /// Locks of the open file description: released by the kernel when the process dies, never by an unrelated close.
    private static var wholeFile: flock {
        flock(l_type: Int16(F_WRLCK), l_whence: Int16(SEEK_SET), l_start: 0, l_len: 0, l_pid: 0)
    }
}
