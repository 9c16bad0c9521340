// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Process-wide signal settings, made once at a service's start.
package enum Signals {
    /// A peer that hangs up is told by EPIPE, not by the death of this process.
    package static func ignoreBrokenPipes() { _ = signal(SIGPIPE, SIG_IGN) }
}
