// SPDX-License-Identifier: Apache-2.0
import CLibFuzzer
import Glibc

/// One program of libFuzzer: what it does with each input.
package protocol FuzzTarget {
    /// Ends the process by a failed precondition when something is wrong. Keeps nothing between inputs, else a find
    /// could not be repeated.
    static func run(_ input: [UInt8])
}

/// Set once, before libFuzzer's loop begins on this thread.
nonisolated(unsafe) private var target: (any FuzzTarget.Type)?

extension FuzzTarget {
    /// Runs libFuzzer's loop with the options of the command line.
    package static func main() {
        unsafe target = Self.self
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = unsafe CommandLine.unsafeArgv
        let code = unsafe LLVMFuzzerRunDriver(&count, &arguments) { bytes, count in
            // libFuzzer lends the bytes for the time of the call.
            unsafe target?.run([UInt8](UnsafeRawBufferPointer(start: bytes, count: count)))
            return 0
        }
        exit(code)
    }
}
