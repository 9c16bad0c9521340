// SPDX-License-Identifier: Apache-2.0
import SCSI
import TestSupport
import Wire

/// The unit that the tests address, and short ways to ask it things.
enum TestUnit {
    static let sectorCount: UInt64 = 2_097_152  // 1 GiB.
    static let largestSectorCount: UInt64 = 1 << 37  // 64 TiB.

    static func make(sectorCount: UInt64 = sectorCount) -> LogicalUnit {
        LogicalUnit(
            volume: VolumeID(rawValue: 0x0123_4567_89AB_CDEF), sectorCount: sectorCount,
            targetName: "iqn.2026-11.org.example.sluice:disk", portalGroupTag: 10, relativeTargetPort: 2)
    }

    static func server(_ change: (inout LogicalUnit) -> Void = { _ in }) -> DeviceServer {
        var unit = make()
        change(&unit)
        return DeviceServer(unit: unit)
    }
}

extension CDB {
    /// Shorter ones are followed by zeros.
    init(_ bytes: [UInt8]) {
        precondition(bytes.count <= 16)
        let padded = bytes + [UInt8](repeating: 0, count: 16 - bytes.count)
        self.init(rawValue: padded.reduce(0) { $0 << 8 | UInt128($1) })
    }

    init(opcode: UInt8) { self.init([opcode]) }

    /// Any command that addresses blocks by an address and a count.
    init(block opcode: UInt8, flags: UInt8 = 0, at address: UInt64, count: UInt32) {
        switch opcode >> 5 {
        case 0:
            let high = UInt8(truncatingIfNeeded: address >> 16) & 0x1F
            self.init([opcode, high | flags, UInt8(address >> 8 & 0xFF), UInt8(address & 0xFF), UInt8(count), 0])
        case 1, 2: self.init([opcode, flags] + address.bytes.suffix(4) + [0] + count.bytes.suffix(2) + [0])
        case 5: self.init([opcode, flags] + address.bytes.suffix(4) + count.bytes + [0, 0])
        default:
            let length = opcode == 0x89 ? [0, 0, 0, UInt8(count)] : count.bytes
            self.init([opcode, flags] + address.bytes + length + [0, 0])
        }
    }
}

extension FixedWidthInteger {
    /// Big-endian.
    var bytes: [UInt8] {
        (0..<(Self.bitWidth / 8)).reversed().map { UInt8(truncatingIfNeeded: self >> Self(8 * $0)) }
    }
}

extension UnitAttentionQueue {
    static var drained: UnitAttentionQueue {
        var queue = UnitAttentionQueue()
        _ = queue.takeFirst()
        return queue
    }
}

extension DeviceServer {
    /// As a nexus without pending unit attentions.
    func begin(
        _ cdb: CDB, lun: UInt64 = 0, expectedDataOut: Int = 0
    ) -> CommandDisposition {
        var attentions = UnitAttentionQueue.drained
        return begin(
            cdb, lun: LogicalUnitNumber(rawValue: lun), expectedDataOutByteCount: expectedDataOut,
            attentions: &attentions)
    }

    func begin(_ bytes: [UInt8], lun: UInt64 = 0, expectedDataOut: Int = 0) -> CommandDisposition {
        begin(CDB(bytes), lun: lun, expectedDataOut: expectedDataOut)
    }

    func finish(_ command: ParameterDataCommand, _ dataOut: [UInt8]) -> CommandDisposition {
        unsafe finish(command, dataOut: dataOut.span.bytes)  // Bytes have no invalid values.
    }
}

extension CommandDisposition {
    var result: CommandResult? {
        if case .complete(let result) = self { return result }
        return nil
    }
    var isGood: Bool { result?.status == .good }
    var sense: Sense? { result?.sense }
    var dataIn: [UInt8]? { isGood ? result?.dataIn : nil }

    var operation: MediumOperation? {
        if case .medium(let operation) = self { return operation }
        return nil
    }
    var parameterData: ParameterDataCommand? {
        if case .parameterData(let command) = self { return command }
        return nil
    }
    var unmapRanges: [SectorRange]? {
        if case .unmap(let operation) = self { return operation.ranges }
        return nil
    }

    /// Key, additional code, and the field pointer's byte.
    func fails(_ key: Sense.Key, _ code: UInt16, byte: UInt16? = nil) -> Bool {
        guard result?.status == .checkCondition, let sense else { return false }
        return sense.key == key && sense.additionalCode == code && sense.fieldPointer?.byte == byte
    }
    var isOutOfRange: Bool { fails(.illegalRequest, 0x2100) }
    func isInvalidField(byte: UInt16) -> Bool { fails(.illegalRequest, 0x2400, byte: byte) }
}
