// SPDX-License-Identifier: Apache-2.0
import CZeroMQ

/// The public half of a key pair of CURVE: 32 bytes, written as 40 characters of Z85 (ZeroMQ RFC 32).
package struct CurvePublicKey: Hashable, Sendable, CustomStringConvertible {
    package static let textByteCount = 40
    package let text: String
    /// As a peer's handshake shows it.
    let bytes: [UInt8]

    package init?(text: String) {
        guard let bytes = Z85.decode(text) else { return nil }
        self.text = text
        self.bytes = bytes
    }

    init?(bytes: [UInt8]) {
        guard let text = Z85.encode(bytes) else { return nil }
        self.text = text
        self.bytes = bytes
    }

    package var description: String { text }

    /// The beginning of the key, for people who compare two: a key with the same one is as hard to find as one with the
    /// same hash of this length.
    package var fingerprint: String {
        let digits = bytes.prefix(8).map { $0 < 16 ? "0" + String($0, radix: 16) : String($0, radix: 16) }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] + digits[$0 + 1] }.joined(separator: "-")
    }
}

/// The secret half. Its text goes into one file and to ZeroMQ, never into a log.
package struct CurveSecretKey: Sendable, CustomStringConvertible {
    package let text: String
    /// What everybody else knows of it.
    package let publicKey: CurvePublicKey

    package init?(text: String) {
        guard Z85.decode(text) != nil else { return nil }
        var characters = [CChar](repeating: 0, count: CurvePublicKey.textByteCount + 1)
        guard unsafe zmq_curve_public(&characters, text) == 0, let key = CurvePublicKey(text: Z85.text(characters))
        else { return nil }
        self.text = text
        publicKey = key
    }

    package var description: String { "secret of \(publicKey.fingerprint)" }

    package static func generate() throws(BusError) -> CurveSecretKey {
        var publicText = [CChar](repeating: 0, count: CurvePublicKey.textByteCount + 1)
        var secretText = publicText
        guard unsafe zmq_curve_keypair(&publicText, &secretText) == 0,
            let key = CurveSecretKey(text: Z85.text(secretText))
        else { throw .lastZeroMQ("zmq_curve_keypair") }
        return key
    }
}

private enum Z85 {
    static let byteCount = 32

    static func decode(_ text: String) -> [UInt8]? {
        guard text.utf8.count == CurvePublicKey.textByteCount, !text.utf8.contains(0) else { return nil }
        var bytes = [UInt8](repeating: 0, count: byteCount)
        return unsafe zmq_z85_decode(&bytes, text) == nil ? nil : bytes
    }

    static func encode(_ bytes: [UInt8]) -> String? {
        guard bytes.count == byteCount else { return nil }
        var characters = [CChar](repeating: 0, count: CurvePublicKey.textByteCount + 1)
        return unsafe zmq_z85_encode(&characters, bytes, bytes.count) == nil ? nil : text(characters)
    }

    static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
