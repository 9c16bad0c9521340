// SPDX-License-Identifier: Apache-2.0
import SCSI
import TestSupport
import Testing
import Wire

/// Whatever CDB and parameter list come, the answer is legal and nothing is read that was not sent.
@Suite struct ParameterListFuzzTests {
    private static let legalCodes: Set<UInt16> = [
        0x1A00, 0x2000, 0x2100, 0x2400, 0x2600, 0x2604, 0x2606, 0x2607, 0x2608, 0x2609, 0x3900, 0x0016, 0x0D02, 0x5504,
        0x041B, 0x2702, 0x2A01, 0x2A03, 0x2A04, 0x2A05, 0x2A09, 0x2903,
    ]

    private func fault(_ result: CommandResult) -> String? {
        if (result.status == .checkCondition) != (result.sense != nil) { return "sense" }
        guard let sense = result.sense else { return nil }
        if !Self.legalCodes.contains(sense.additionalCode) { return "code \(sense.additionalCode)" }
        if [0x2400, 0x2600].contains(sense.additionalCode), sense.fieldPointer == nil { return "no field pointer" }
        return result.dataIn.isEmpty ? nil : "data with an error"
    }

    private func fault(_ action: DeviceServerAction, sent: [UInt8], _ capacity: UInt64) -> String? {
        switch action {
        case .complete(let result), .flush(let result), .abortTasks(_, let result): return fault(result)
        case .lbaStatus(let start, let limit, _): return start < capacity && 1...1024 ~= limit ? nil : "LBA status"
        case .copy(let operation):
            let isInside = operation.segments.allSatisfy {
                $0.sectors.end <= capacity && $0.destinationStart + UInt64($0.sectors.count) <= capacity
                    && $0.sectors.count <= 32768
            }
            return isInside && operation.segments.count <= 64 ? nil : "copy"
        case .sanitize, .inProgress: return nil
        }
    }

    private static let opcodes: [UInt8] = [
        0x15, 0x55, 0x5F, 0x5F, 0x5E, 0x83, 0x83, 0x84, 0x48, 0x16, 0x17, 0x1B, 0x1E, 0x9E, 0xA3, 0x4D, 0x1A, 0x5A,
    ]

    /// A legal list, so that the changes reach far into the parsers.
    private func list(_ opcode: UInt8, _ owner: inout UnitOwner, _ random: inout SeededRandom) -> [UInt8] {
        switch opcode {
        case 0x15: return owner.perform([0x1A, 0, 0x3F, 0xFF, 255, 0], from: 1).completed?.dataIn ?? []
        case 0x55:
            return owner.perform([0x5A, 0x10, 0x3F, 0xFF, 0, 0, 0, 1, 0, 0], from: 1).completed?.dataIn ?? []
        case 0x5F: return UnitOwner.list(key: UInt64(random.below(3)), newKey: UInt64(random.below(3)))
        case 0x83:
            let naa: [UInt8] = [0x60, 0x25, 0x34, 0xC0, 0, 0, 0, 0] + owner.server.unit.volume.rawValue.bytes
            let target: [UInt8] = [0xE4, 0, 0, 0, 1, 3, 0, 16] + naa + [0, 0, 0, 0, 0, 0, 2, 0]
            let blocks: [UInt8] = [2, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 8] + UInt64(9).bytes + UInt64(64).bytes
            let bytes: [UInt8] =
                [10, 0, 0, 28, 0, 0, 0, 0, 0, 0, 2, 0] + UInt64(9).bytes + UInt64(64).bytes + [0, 0, 0, 0]
            return [UInt8(random.below(4)), 0x20, 0, 32, 0, 0, 0, 0, 0, 0, 0, 60, 0, 0, 0, 0] + target + blocks + bytes
        default: return []
        }
    }

    private func cdb(_ opcode: UInt8, _ length: Int, _ random: inout SeededRandom) -> [UInt8] {
        var cdb = [opcode] + [UInt8](repeating: 0, count: 15)
        cdb[1] = [0x5E, 0x5F, 0x83, 0x84, 0x48, 0x9E, 0xA3].contains(opcode) ? UInt8(random.below(20)) : 0x10
        if opcode == 0x83 { cdb[1] = 0 }
        switch opcode {
        case 0x15: cdb[4] = UInt8(truncatingIfNeeded: length)
        case 0x55: cdb.replaceSubrange(7..<9, with: UInt16(truncatingIfNeeded: length).bytes)
        case 0x5F: cdb.replaceSubrange(5..<9, with: UInt32(length).bytes)
        case 0x83: cdb.replaceSubrange(10..<14, with: UInt32(length).bytes)
        default: for index in 2..<16 where random.oneIn(3) { cdb[index] = UInt8(random.below(256)) }
        }
        if random.oneIn(4) { cdb[1 + random.below(15)] = UInt8(random.below(256)) }
        return cdb
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64]) func anythingIsAnsweredLegally(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var owner = UnitOwner { $0.isSanitizeAllowed = true }
        var goodLists = 0
        for step in 0..<4000 {
            let opcode = Self.opcodes[random.below(Self.opcodes.count)]
            var list = list(opcode, &owner, &random)
            for _ in 0..<random.below(3) where !list.isEmpty {
                list[random.below(list.count)] = random.oneIn(2) ? 0xFF : UInt8(random.below(256))
            }
            let length = random.oneIn(4) ? random.below(300) : list.count
            if random.oneIn(4), !list.isEmpty { list.removeLast(random.below(list.count)) }
            let cdb = cdb(opcode, length, &random)
            let action = owner.perform(cdb, list, from: UInt64(1 + random.below(3)))
            if let fault = fault(action, sent: list, owner.server.unit.sectorCount) {
                Issue.record("seed \(seed), step \(step), CDB \(cdb), list \(list): \(fault)")
                return
            }
            if case .copy(let operation) = action {
                goodLists += 1
                _ = owner.server.finishCopy(operation, completedSegmentCount: 1, isGood: random.oneIn(2))
            } else if !list.isEmpty, action.completed?.status == .good {
                goodLists += 1
            }
            if owner.server.state.isSanitizing { owner.server.finishSanitize() }
            if random.oneIn(40) { owner.reset(.logicalUnit) }
        }
        #expect(goodLists > 100, "seed \(seed)")
    }
}
