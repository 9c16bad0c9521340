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

    /// The directory of the running program: its siblings are the other services.
    package static var programDirectory: String {
        DirectoryPath(FileSystem.realPath("/proc/self/exe") ?? "/").parent.path
    }
}
