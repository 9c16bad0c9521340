// SPDX-License-Identifier: Apache-2.0

/// Whether an initiator may log in to a target, or discover targets, and what it has to prove.
package enum LoginAccess: Equatable, Sendable {
    /// A target that may not be used looks like one that does not exist.
    case refused
    /// Nobody is asked who they are.
    case open
    /// One of these has to be proven. None: the login fails as it would for a wrong secret.
    case chap([CHAPCredentials])

    package var requiresAuthentication: Bool {
        switch self {
        case .refused, .open: false
        case .chap: true
        }
    }
}
