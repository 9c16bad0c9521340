// SPDX-License-Identifier: Apache-2.0
import Wire

/// The form in which I/O replies travel: 48 bytes, little-endian, the same over ZeroMQ and in a shared-memory ring.
///
///      0  8  frontend             identity of the request that is answered, with
///      8  8  number               the number
///     16  8  information
///     24  8  arena offset
///     32  4  payload byte count
///     36  1  status
///     37 11  zero
///
/// History: 1.0 first version.
extension IOReply {
    package static let byteCount = 48

    /// `slot` has exactly `byteCount` bytes.
    package func encode(into slot: inout MutableRawSpan) {
        precondition(slot.byteCount == Self.byteCount)
        slot.setLittleEndian(frontend.rawValue, at: 0)
        slot.setLittleEndian(number, at: 8)
        slot.setLittleEndian(information, at: 16)
        slot.setLittleEndian(arenaOffset, at: 24)
        slot.setLittleEndian(payloadByteCount, at: 32)
        slot.setLittleEndian(UInt32(status.rawValue), at: 36)
        slot.setLittleEndian(UInt64(0), at: 40)
    }

    package init(decoding slot: RawSpan) throws(MessageError) {
        guard slot.byteCount >= Self.byteCount else { throw .truncated }
        guard slot.byteCount == Self.byteCount else { throw .lengthMismatch }
        let tail = slot.littleEndian(UInt32.self, at: 36)
        guard let status = Status(rawValue: UInt8(truncatingIfNeeded: tail)) else { throw .invalidValue("status") }
        guard tail >> 8 == 0, slot.littleEndian(UInt64.self, at: 40) == 0 else { throw .reservedBits }
        self.init(
            frontend: ServiceInstance(rawValue: slot.littleEndian(UInt64.self, at: 0)),
            number: slot.littleEndian(UInt64.self, at: 8),
            status: status,
            information: slot.littleEndian(UInt64.self, at: 16),
            payloadByteCount: slot.littleEndian(UInt32.self, at: 32),
            arenaOffset: slot.littleEndian(UInt64.self, at: 24))
    }
}
