// SPDX-License-Identifier: Apache-2.0
package import Wire

/// The first frame of every message: 48 bytes, little-endian.
///
///      0  4  magic "SLBM"
///      4  2  major version       what follows is read only if it is ours
///      6  2  minor version
///      8  2  kind                `MessageKind`; a reply has its request's kind, or `fault`
///     10  2  flags               bit 0: this is a reply
///     12  4  byte count of the body, the second frame
///     16  8  request id          drawn by the sender of the request, the same each time it is sent
///     24  8  sender              `ServiceInstance`
///     32  8  lowest open number  all lower request ids of this sender are answered and never sent again
///     40  4  timeout             milliseconds that the sender still waits; 0 = no limit
///     44  4  CRC32C              of bytes 0..<44 and the body
///
/// Magic, versions, flags bit 0 and request id stay where they are in every major version, so that a service can tell a
/// peer of another version what is wrong. Payload frames follow the body; the kind says how many belong there.
/// History: 1.0 first version.
package struct Envelope: Equatable, Sendable {
    package static let byteCount = 48
    package static let magic: UInt32 = 0x4d42_4c53

    package var version = SchemaVersion.current
    package var kind: MessageKind
    package var isReply: Bool
    package var requestID: UInt64
    package var sender: ServiceInstance
    package var lowestOpenNumber: UInt64
    package var timeoutMilliseconds: UInt32

    package init(
        kind: MessageKind, isReply: Bool = false, requestID: UInt64, sender: ServiceInstance,
        lowestOpenNumber: UInt64 = 0, timeoutMilliseconds: UInt32 = 0
    ) {
        self.kind = kind
        self.isReply = isReply
        self.requestID = requestID
        self.sender = sender
        self.lowestOpenNumber = lowestOpenNumber
        self.timeoutMilliseconds = timeoutMilliseconds
    }

    /// What is known of a message that was refused, enough to address a `BusFault` to its sender.
    package struct Address: Equatable, Sendable {
        package var requestID: UInt64
        package var isReply: Bool
    }

    /// nil unless the frame is an envelope of some version.
    package static func address(in frame: RawSpan) -> Address? {
        guard frame.byteCount >= 24, frame.littleEndian(UInt32.self, at: 0) == magic else { return nil }
        return Address(
            requestID: frame.littleEndian(UInt64.self, at: 16),
            isReply: frame.littleEndian(UInt16.self, at: 10) & 1 != 0)
    }

    /// Checks everything about the two frames that does not need the body's schema.
    package init(decoding frame: RawSpan, body: RawSpan) throws(MessageError) {
        guard frame.byteCount >= 8 else { throw .truncated }
        guard frame.littleEndian(UInt32.self, at: 0) == Self.magic else { throw .wrongMagic }
        let version = SchemaVersion(
            major: frame.littleEndian(UInt16.self, at: 4), minor: frame.littleEndian(UInt16.self, at: 6))
        guard version.major == SchemaVersion.current.major else { throw .unsupportedVersion(version) }
        guard frame.byteCount >= Self.byteCount else { throw .truncated }
        guard frame.byteCount == Self.byteCount else { throw .lengthMismatch }
        guard Int(frame.littleEndian(UInt32.self, at: 12)) == body.byteCount else { throw .lengthMismatch }
        guard frame.littleEndian(UInt32.self, at: 44) == Self.checksum(frame, body) else { throw .checksumMismatch }
        let flags = frame.littleEndian(UInt16.self, at: 10)
        // A newer minor version may have given them a meaning that older services can do without.
        guard flags & ~1 == 0 || version.minor > SchemaVersion.current.minor else { throw .reservedBits }
        let rawKind = frame.littleEndian(UInt16.self, at: 8)
        guard let kind = MessageKind(rawValue: rawKind) else { throw .unsupportedKind(rawKind) }
        self.version = version
        self.kind = kind
        isReply = flags & 1 != 0
        requestID = frame.littleEndian(UInt64.self, at: 16)
        sender = ServiceInstance(rawValue: frame.littleEndian(UInt64.self, at: 24))
        lowestOpenNumber = frame.littleEndian(UInt64.self, at: 32)
        timeoutMilliseconds = frame.littleEndian(UInt32.self, at: 40)
    }

    /// `frame` has exactly `byteCount` bytes.
    package func encode(into frame: inout MutableRawSpan, body: RawSpan) {
        precondition(frame.byteCount == Self.byteCount && body.byteCount <= Int(UInt32.max))
        frame.setLittleEndian(Self.magic, at: 0)
        frame.setLittleEndian(version.major, at: 4)
        frame.setLittleEndian(version.minor, at: 6)
        frame.setLittleEndian(kind.rawValue, at: 8)
        frame.setLittleEndian(UInt16(isReply ? 1 : 0), at: 10)
        frame.setLittleEndian(UInt32(body.byteCount), at: 12)
        frame.setLittleEndian(requestID, at: 16)
        frame.setLittleEndian(sender.rawValue, at: 24)
        frame.setLittleEndian(lowestOpenNumber, at: 32)
        frame.setLittleEndian(timeoutMilliseconds, at: 40)
        frame.setLittleEndian(Self.checksum(frame.bytes, body), at: 44)
    }

    /// For tests and cold paths.
    package func encoded(body: [UInt8]) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.byteCount)
        var whole = bytes.mutableSpan
        var span = unsafe whole.mutableBytes
        unsafe encode(into: &span, body: body.span.bytes)
        return bytes
    }

    private static func checksum(_ frame: RawSpan, _ body: RawSpan) -> UInt32 {
        let head = unsafe frame.withUnsafeBytes { bytes in
            unsafe CRC32C.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<44]))
        }
        return unsafe body.withUnsafeBytes { unsafe CRC32C.checksum($0, continuing: head) }
    }
}
