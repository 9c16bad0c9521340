// SPDX-License-Identifier: Apache-2.0
import Crypto

/// The digests that CHAP may use, with their numbers in CHAP_A (RFC 7143 §12.1.3, IANA's PPP authentication
/// algorithms), from weak to strong.
package enum CHAPAlgorithm: UInt8, Sendable, CaseIterable {
    case md5 = 5
    case sha1 = 6
    case sha256 = 7
    case sha3 = 8

    package var digestByteCount: Int {
        switch self {
        case .md5: 16
        case .sha1: 20
        case .sha256, .sha3: 32
        }
    }

    /// As long as the digest: a shorter one would weaken it, a longer one adds nothing.
    package var challengeByteCount: Int { max(16, digestByteCount) }

    /// An allow-list: this one and those that are stronger.
    package static func atLeast(_ weakest: CHAPAlgorithm) -> Set<CHAPAlgorithm> {
        Set(allCases.filter { $0.rawValue >= weakest.rawValue })
    }

    /// The first of an initiator's list that is allowed. Each item is one number: `56` is neither 5 nor 6.
    package static func choose(from list: String, allowed: Set<CHAPAlgorithm>) -> CHAPAlgorithm? {
        for item in TextValue.list(list) {
            guard let number = TextValue.number(item), let value = UInt8(exactly: number),
                let algorithm = CHAPAlgorithm(rawValue: value), allowed.contains(algorithm)
            else { continue }
            return algorithm
        }
        return nil
    }

    /// What proves the knowledge of `secret`: the digest of identifier, secret and challenge (RFC 1994 §4.1).
    package func response(identifier: UInt8, secret: CHAPSecret, challenge: [UInt8]) -> [UInt8] {
        switch self {
        case .md5: Self.digest(Insecure.MD5.self, identifier, secret, challenge)
        case .sha1: Self.digest(Insecure.SHA1.self, identifier, secret, challenge)
        case .sha256: Self.digest(SHA256.self, identifier, secret, challenge)
        case .sha3: Self.digest(SHA3_256.self, identifier, secret, challenge)
        }
    }

    private static func digest<Hash: HashFunction>(
        _: Hash.Type, _ identifier: UInt8, _ secret: CHAPSecret, _ challenge: [UInt8]
    ) -> [UInt8] {
        var hash = Hash()
        for part in [[identifier], secret.bytes, challenge] {
            unsafe part.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
        }
        return Array(hash.finalize())
    }
}
