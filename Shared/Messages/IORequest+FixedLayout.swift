// SPDX-License-Identifier: Apache-2.0
import Wire

/// The form in which I/O requests travel: 96 bytes, little-endian, the same over ZeroMQ and in a shared-memory ring.
/// Identity first, so that repeats are recognised before anything else is looked at; every 8-byte field is aligned.
///
///      0  8  volume
///      8  8  frontend             identity of the request, with
///     16  8  number               the number
///     24  8  lowest open number
///     32  8  deadline             milliseconds since 1970 on the cache manager's clock; 0 = none
///     40  8  nexus
///     48  8  start sector
///     56  4  sector count
///     60  4  payload byte count
///     64  8  arena offset
///     72  1  operation
///     73  1  flags
///     74 22  zero
///
/// History: 1.0 first version. 1.1 operations 8 to 14, flag 4, payload of operation 7.
extension IORequest {
    package static let byteCount = 96
    private static let definedFlags: UInt8 = 0b111

    /// `slot` has exactly `byteCount` bytes.
    package func encode(into slot: inout MutableRawSpan) {
        precondition(slot.byteCount == Self.byteCount)
        slot.setLittleEndian(volume.rawValue, at: 0)
        slot.setLittleEndian(frontend.rawValue, at: 8)
        slot.setLittleEndian(number, at: 16)
        slot.setLittleEndian(lowestOpenNumber, at: 24)
        slot.setLittleEndian(deadlineMilliseconds, at: 32)
        slot.setLittleEndian(nexus, at: 40)
        slot.setLittleEndian(sectors.start, at: 48)
        slot.setLittleEndian(sectors.count, at: 56)
        slot.setLittleEndian(payloadByteCount, at: 60)
        slot.setLittleEndian(arenaOffset, at: 64)
        slot.setLittleEndian(UInt16(operation.rawValue) | UInt16(flags.rawValue) << 8, at: 72)
        slot.setLittleEndian(UInt16(0), at: 74)
        slot.setLittleEndian(UInt32(0), at: 76)
        slot.setLittleEndian(UInt64(0), at: 80)
        slot.setLittleEndian(UInt64(0), at: 88)
    }

    package init(decoding slot: RawSpan) throws(MessageError) {
        guard slot.byteCount >= Self.byteCount else { throw .truncated }
        guard slot.byteCount == Self.byteCount else { throw .lengthMismatch }
        let rawOperation = slot.littleEndian(UInt8.self, at: 72)
        guard let operation = Operation(rawValue: rawOperation) else { throw .invalidValue("operation") }
        let flags = slot.littleEndian(UInt8.self, at: 73)
        let reserved =
            UInt64(slot.littleEndian(UInt16.self, at: 74)) | UInt64(slot.littleEndian(UInt32.self, at: 76))
            | slot.littleEndian(UInt64.self, at: 80) | slot.littleEndian(UInt64.self, at: 88)
        guard flags & ~Self.definedFlags == 0, reserved == 0 else { throw .reservedBits }
        self.init(
            volume: VolumeID(rawValue: slot.littleEndian(UInt64.self, at: 0)),
            frontend: ServiceInstance(rawValue: slot.littleEndian(UInt64.self, at: 8)),
            number: slot.littleEndian(UInt64.self, at: 16),
            lowestOpenNumber: slot.littleEndian(UInt64.self, at: 24),
            deadlineMilliseconds: slot.littleEndian(UInt64.self, at: 32),
            nexus: slot.littleEndian(UInt64.self, at: 40),
            operation: operation,
            flags: Flags(rawValue: flags),
            sectors: SectorRange(
                start: slot.littleEndian(UInt64.self, at: 48), count: slot.littleEndian(UInt32.self, at: 56)),
            payloadByteCount: slot.littleEndian(UInt32.self, at: 60),
            arenaOffset: slot.littleEndian(UInt64.self, at: 64))
    }
}
