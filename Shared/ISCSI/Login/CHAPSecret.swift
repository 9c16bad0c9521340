// SPDX-License-Identifier: Apache-2.0

/// A secret of CHAP. Nothing that prints or mirrors a value shows it.
package struct CHAPSecret: Equatable, Sendable {
    package let bytes: [UInt8]

    /// `CHAPSecretPolicy` says which lengths are good; credentials are made with one.
    package init(_ bytes: [UInt8]) { self.bytes = bytes }
    package init(_ text: String) { bytes = Array(text.utf8) }

    /// Takes as long wherever the difference lies.
    package static func == (left: CHAPSecret, right: CHAPSecret) -> Bool {
        areEqual(left.bytes, right.bytes)
    }

    /// Compares all bytes, so that the time does not tell how many of them are right.
    static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for index in left.indices { difference |= left[index] ^ right[index] }
        return difference == 0
    }
}

extension CHAPSecret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "(hidden)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// How long secrets are, in bytes of UTF-8.
package struct CHAPSecretPolicy: Equatable, Sendable {
    /// Less than 96 bits asks for an encrypted network (RFC 7143 §9.2.1).
    package static let shortest = 12
    package static let longest = 64

    package let minimumByteCount: Int
    package let maximumByteCount: Int

    /// AWS's rule, which is also what Windows takes for MD5.
    package static let standard = CHAPSecretPolicy(minimumByteCount: 12, maximumByteCount: 16)
    /// As long as we take them at all.
    package static let extended = CHAPSecretPolicy(minimumByteCount: shortest, maximumByteCount: longest)

    /// Bounds outside of `shortest...longest` become these.
    package init(minimumByteCount: Int, maximumByteCount: Int) {
        self.minimumByteCount = min(max(minimumByteCount, Self.shortest), Self.longest)
        self.maximumByteCount = min(max(maximumByteCount, self.minimumByteCount), Self.longest)
    }

    package func check(_ secret: CHAPSecret) throws(CHAPCredentialsError) {
        let byteCount = secret.bytes.count
        guard byteCount >= minimumByteCount else {
            throw .secretTooShort(byteCount: byteCount, minimum: minimumByteCount)
        }
        guard byteCount <= maximumByteCount else {
            throw .secretTooLong(byteCount: byteCount, maximum: maximumByteCount)
        }
    }
}
