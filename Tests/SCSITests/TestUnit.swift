// SPDX-License-Identifier: Apache-2.0
import SCSI
import TestSupport
import Wire

/// The unit that the tests address, and short ways to ask it things.
enum TestUnit {
    static let sectorCount: UInt64 = 2_097_152  // 1 GiB.
    static let largestSectorCount: UInt64 = 1 << 37  // 64 TiB.

    static func make(
        _ blockSize: LogicalBlockSize = .sector, isRemovable: Bool = false,
        _ change: (inout LogicalUnit) -> Void = { _ in }
    ) -> LogicalUnit {
        var unit = LogicalUnit(
            volume: VolumeID(rawValue: 0x0123_4567_89AB_CDEF), sectorCount: sectorCount, blockSize: blockSize,
            targetName: "iqn.2026-11.org.example.sluice:disk", isRemovable: isRemovable)
        change(&unit)
        return unit
    }

    static func decoder(
        _ blockSize: LogicalBlockSize = .sector, _ change: (inout LogicalUnit) -> Void = { _ in }
    ) -> CommandDecoder {
        CommandDecoder(unit: make(blockSize, change))
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
            let length =
                switch opcode {
                case 0x89: [0, 0, 0, UInt8(count)]
                case 0x9C: [0, 0] + count.bytes.suffix(2)
                default: count.bytes
                }
            self.init([opcode, flags] + address.bytes + length + [0, 0])
        }
    }

    /// All sixteen.
    var bytes: [UInt8] { rawValue.bytes }
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

extension CommandDecoder {
    /// Before the owner has said anything.
    func decode(_ cdb: CDB, lun: UInt64 = 0, expectedDataOut: Int = 0) -> CommandDisposition {
        begin(cdb, lun: LogicalUnitNumber(rawValue: lun), expectedDataOutByteCount: expectedDataOut)
    }

    /// As an owner of the unit takes it that lets every command run whose sectors exist.
    func begin(_ cdb: CDB, lun: UInt64 = 0, expectedDataOut: Int = 0) -> CommandDisposition {
        unit.admit(decode(cdb, lun: lun, expectedDataOut: expectedDataOut))
    }

    func begin(_ bytes: [UInt8], lun: UInt64 = 0, expectedDataOut: Int = 0) -> CommandDisposition {
        begin(CDB(bytes), lun: lun, expectedDataOut: expectedDataOut)
    }

    /// As the same owner takes it.
    func finish(_ command: ParameterDataCommand, _ dataOut: [UInt8]) -> CommandDisposition {
        unit.admit(unsafe finish(command, dataOut: dataOut.span.bytes))  // Bytes have no invalid values.
    }
}

extension LogicalUnit {
    /// What an owner does that has nothing against the command: it looks whether the sectors exist.
    func admit(_ disposition: CommandDisposition) -> CommandDisposition {
        let outOfRange = CommandDisposition.complete(CommandResult(.logicalBlockAddressOutOfRange))
        switch disposition {
        case .check(let sectors?, let result): return contains(sectors) ? .complete(result) : outOfRange
        case .check(nil, let result): return .complete(result)
        case .medium(let operation): return contains(operation.sectors) ? disposition : outOfRange
        case .unmap(let operation):
            return operation.ranges.allSatisfy { contains(unmapped: $0) } ? disposition : outOfRange
        case .complete, .parameterData, .deviceServer: return disposition
        }
    }

    /// What a device server answers to the commands that only describe the unit.
    func report(
        _ bytes: [UInt8], _ mode: ModeParameters = ModeParameters(),
        _ use: ProvisioningUse = ProvisioningUse(availableSectorCount: nil, usedSectorCount: 0)
    ) -> CommandResult {
        let cdb = CDB(bytes)
        do throws(SCSIError) {
            let definition = try CommandTable.definition(of: cdb, isSanitizeAllowed: isSanitizeAllowed)
            switch definition.command {
            case .requestSense: return LogicalUnit.requestSense(cdb, .none)
            case .reportLUNs: return try reportLUNs(cdb)
            case .readCapacity10: return readCapacity10()
            case .readCapacity16: return readCapacity16(cdb)
            case .readDefectData10, .readDefectData12: return readDefectData(cdb)
            case .modeSense6, .modeSense10: return try modeSense(cdb, mode)
            case .logSense: return try logSense(cdb, use)
            case .reportTargetPortGroups: return try reportTargetPortGroups(cdb)
            case .reportSupportedOperationCodes: return try reportSupportedOperationCodes(cdb)
            case .reportSupportedTaskManagementFunctions: return reportSupportedTaskManagementFunctions(cdb)
            default: throw .invalidOperationCode
            }
        } catch {
            return CommandResult(error)
        }
    }
}

extension CommandResult {
    /// Key, additional code, and the field pointer's byte.
    func fails(_ key: Sense.Key, _ code: UInt16, byte: UInt16? = nil) -> Bool {
        guard status == .checkCondition, let sense else { return false }
        return sense.key == key && sense.additionalCode == code && sense.fieldPointer?.byte == byte
    }
    func isInvalidField(byte: UInt16) -> Bool { fails(.illegalRequest, 0x2400, byte: byte) }
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
    var deviceServerDataOut: Int? {
        if case .deviceServer(let byteCount) = self { return byteCount }
        return nil
    }

    func fails(_ key: Sense.Key, _ code: UInt16, byte: UInt16? = nil) -> Bool {
        result?.fails(key, code, byte: byte) ?? false
    }
    var isOutOfRange: Bool { fails(.illegalRequest, 0x2100) }
    func isInvalidField(byte: UInt16) -> Bool { fails(.illegalRequest, 0x2400, byte: byte) }
    /// An error of the CDB that the owner tells before it looks at any range.
    func isInvalidFieldBeforeRange(byte: UInt16) -> Bool {
        guard case .check(nil, let result) = self else { return false }
        return result.isInvalidField(byte: byte)
    }
    /// An error that the owner tells only if the range exists.
    func failsBehindRange(_ sectors: SectorRange, _ code: UInt16, byte: UInt16? = nil) -> Bool {
        guard case .check(sectors, let result) = self else { return false }
        return result.fails(.illegalRequest, code, byte: byte)
    }
}
