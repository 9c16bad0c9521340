// SPDX-License-Identifier: Apache-2.0
import Glibc
import Platform

/// What a process was given at its start.
package enum ProcessEnvironment {
    package static var current: [String: String] {
        var variables: [String: String] = [:]
        var entry = unsafe environ
        while let text = unsafe entry.pointee {
            let parts = unsafe String(cString: text).split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
            unsafe entry += 1
        }
        return variables
    }

    package static var workingDirectory: String { FileSystem.realPath(".") ?? "/" }

    /// Of a container its id, unless it was given a name.
    package static var hostName: String {
        let bytes = (try? FileSystem.readFile("/proc/sys/kernel/hostname", limit: 256)) ?? []
        return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }

    /// Another one after each start of the machine, containers included; empty where the kernel does not tell.
    package static var bootID: String {
        let bytes = (try? FileSystem.readFile("/proc/sys/kernel/random/boot_id", limit: 256)) ?? []
        return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }

    /// The directory of the running program: its siblings are the other services.
    package static var programDirectory: String {
        DirectoryPath(FileSystem.realPath("/proc/self/exe") ?? "/").parent.path
    }
}
