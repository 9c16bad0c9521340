// SPDX-License-Identifier: Apache-2.0
import Glibc
import Platform

/// Ends a supervised service in good order once its supervisor is gone, however it went.
///
/// The supervisor holds the writing end of a pipe that each service has as its standard input: nothing is ever written,
/// and its end of file means that the supervisor has ended. PR_SET_PDEATHSIG would not do: the kernel ties it to the
/// thread that asks for it, and the threads that run Swift's tasks end when they are idle.
package enum SupervisorWatch {
    /// Set by the supervisor for its services: their standard input is its lifeline.
    package static let variable = "SLUICE_SUPERVISOR"

    /// Does nothing in a process that no supervisor started.
    static func begin() throws(SystemError) {
        guard ProcessEnvironment.current[variable] != nil else { return }
        // Released at once: it runs on alone until the process ends.
        _ = try IOThread(name: "supervisor") {
            waitForEnd()
            _ = kill(getpid(), SIGTERM)
        }
    }

    private static func waitForEnd() {
        var byte: UInt8 = 0
        while true {
            let count = unsafe read(STDIN_FILENO, &byte, 1)
            if count == 0 || (count < 0 && errno != EINTR) { return }
        }
    }
}
