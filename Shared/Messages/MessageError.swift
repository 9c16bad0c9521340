// SPDX-License-Identifier: Apache-2.0

/// Why bytes from a peer are not a message, or a value cannot be one.
package enum MessageError: Error, Equatable, Sendable {
    case truncated
    case wrongMagic
    case unsupportedVersion(SchemaVersion)
    case unsupportedKind(UInt16)
    /// Bits that this schema version does not define.
    case reservedBits
    /// The envelope and the frames do not agree.
    case lengthMismatch
    case checksumMismatch
    case tooLarge(byteCount: Int, limit: Int)
    case tooDeep
    /// A field holds what its type does not allow: an unknown enum value, a bad presence byte, broken UTF-8.
    case invalidValue(String)
    /// A field that must be there is missing.
    case missingField(String)
    /// Our own type uses what the encoding does not offer.
    case unsupportedShape(String)

    package enum Disposition { case refuseMessage, refusePeer, programmerError }

    package var disposition: Disposition {
        switch self {
        case .unsupportedVersion: .refusePeer
        case .unsupportedShape: .programmerError
        case .truncated, .wrongMagic, .unsupportedKind, .reservedBits, .lengthMismatch, .checksumMismatch, .tooLarge,
            .tooDeep, .invalidValue, .missingField:
            .refuseMessage
        }
    }
}

extension MessageError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .truncated: "the message ends too early"
        case .wrongMagic: "not a Sluice message"
        case .unsupportedVersion(let version):
            "message schema \(version) is not supported, this service speaks \(SchemaVersion.current): "
                + "run the same release of all services"
        case .unsupportedKind(let kind): "unknown message kind 0x\(String(kind, radix: 16))"
        case .reservedBits: "reserved bits are set"
        case .lengthMismatch: "the lengths of the message do not agree"
        case .checksumMismatch: "the checksum of the message is wrong"
        case .tooLarge(let byteCount, let limit): "\(byteCount) bytes are more than the limit of \(limit)"
        case .tooDeep: "the message is nested too deeply"
        case .invalidValue(let field): "invalid value in \(field)"
        case .missingField(let field): "missing field \(field)"
        case .unsupportedShape(let reason): "cannot be encoded: \(reason)"
        }
    }
}
