// SPDX-License-Identifier: Apache-2.0
import Glibc

/// An errno with the call and the path it belongs to.
package struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
    package var errorNumber: Int32
    package var call: String
    package var path: String
    package init(errorNumber: Int32, call: String, path: String = "") {
        self.errorNumber = errorNumber
        self.call = call
        self.path = path
    }
    /// The calling thread's errno, read at once after a failed call.
    package static func last(_ call: String, path: String = "") -> SystemError {
        SystemError(errorNumber: errno, call: call, path: path)
    }
    package var isOutOfSpace: Bool { errorNumber == ENOSPC || errorNumber == EDQUOT }
    package var description: String {
        path.isEmpty ? "\(call): \(reason)" : "\(call) \(path): \(reason)"
    }
    /// The kernel's words alone, for messages that name the path themselves.
    package var reason: String { unsafe String(cString: strerror(errorNumber)) }
}
