// SPDX-License-Identifier: Apache-2.0

/// What one initiator authenticates itself with, and what we authenticate ourselves with to it when it asks.
package struct CHAPCredentials: Equatable, Sendable {
    /// Our side of mutual CHAP.
    package struct Mutual: Equatable, Sendable {
        /// Nil: the name of the target; in a discovery session, the name that the initiator gave.
        package let userName: String?
        package let secret: CHAPSecret
        package init(userName: String? = nil, secret: CHAPSecret) {
            self.userName = userName
            self.secret = secret
        }
    }

    /// CHAP_N, literally. Nil: any name will do, such as the initiator's own; the secret is what counts.
    package let userName: String?
    package let secret: CHAPSecret
    package let mutual: Mutual?

    package init(
        userName: String? = nil, secret: CHAPSecret, mutual: Mutual? = nil, policy: CHAPSecretPolicy = .standard
    ) throws(CHAPCredentialsError) {
        try policy.check(secret)
        if let userName { try Self.check(userName) }
        if let mutual {
            try policy.check(mutual.secret)
            if let name = mutual.userName { try Self.check(name) }
            guard mutual.secret != secret else { throw .secretsAreEqual }
        }
        self.userName = userName
        self.secret = secret
        self.mutual = mutual
    }

    /// A secret of one direction is never one of the other, for whomever: else an initiator could have us answer the
    /// challenge that we sent to another one (RFC 7143 §9.2.1).
    package static func checkDirections(of all: [CHAPCredentials]) throws(CHAPCredentialsError) {
        let inbound = Set(all.map(\.secret.bytes))
        for case let mutual? in all.map(\.mutual) where inbound.contains(mutual.secret.bytes) {
            throw .secretsAreEqual
        }
    }

    private static func check(_ name: String) throws(CHAPCredentialsError) {
        guard (1...TextKeys.valueByteLimit).contains(name.utf8.count) else {
            throw .userNameLength(byteCount: name.utf8.count, maximum: TextKeys.valueByteLimit)
        }
        guard name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else { throw .userNameUnprintable }
    }
}

/// Why credentials are not taken. Nothing of a secret is in it but its length.
package enum CHAPCredentialsError: Error, Equatable, CustomStringConvertible {
    case secretTooShort(byteCount: Int, minimum: Int)
    case secretTooLong(byteCount: Int, maximum: Int)
    case secretsAreEqual
    case userNameLength(byteCount: Int, maximum: Int)
    case userNameUnprintable

    package var description: String {
        switch self {
        case .secretTooShort(let byteCount, let minimum):
            "a CHAP secret has \(byteCount) bytes, at least \(minimum) are required"
        case .secretTooLong(let byteCount, let maximum):
            "a CHAP secret has \(byteCount) bytes, at most \(maximum) are allowed"
        case .secretsAreEqual:
            "the secret that authenticates the target has to differ from each that authenticates an initiator"
        case .userNameLength(let byteCount, let maximum):
            "a CHAP user name has \(byteCount) bytes, 1 to \(maximum) are allowed"
        case .userNameUnprintable:
            "a CHAP user name has a character that cannot be printed"
        }
    }
}
