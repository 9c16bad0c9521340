// SPDX-License-Identifier: Apache-2.0
import SCSI
import TestSupport
import Testing
import Wire

/// Any CDB from any initiator gets a legal answer, and what reaches the volume lies inside it.
@Suite struct CommandFuzzTests {
    private static let legalCodes: Set<UInt16> = [
        0x0E03, 0x1A00, 0x2000, 0x2100, 0x2400, 0x2500, 0x2600, 0x3900, 0x0401, 0x0403, 0x2700, 0x2901,
    ]
    private static let legalKeys: [Sense.Key] = [.illegalRequest, .notReady, .dataProtect, .unitAttention]

    private func check(_ disposition: CommandDisposition, of unit: LogicalUnit, cdb: CDB, seed: UInt64) {
        var faults: [String] = []
        switch disposition {
        case .complete(let result):
            if (result.status == .checkCondition) != (result.sense != nil) { faults.append("sense") }
            if let sense = result.sense {
                if !Self.legalCodes.contains(sense.additionalCode) { faults.append("code") }
                if !Self.legalKeys.contains(sense.key) { faults.append("key") }
                if sense.additionalCode == 0x2400, sense.fieldPointer == nil { faults.append("field pointer") }
                if !result.dataIn.isEmpty { faults.append("data with an error") }
                if sense.encoded().count != 18 { faults.append("encoding") }
            }
            if result.sense == nil, result.transferByteCount != result.dataIn.count, !result.dataIn.isEmpty {
                faults.append("transfer length")
            }
            if result.dataIn.count > 255 { faults.append("data length") }
        case .parameterData(let command):
            if !(1...65535 ~= command.dataOutByteCount) { faults.append("parameter length") }
        case .medium(let operation):
            let sectors = operation.sectors
            if operation.kind == .flush {
                if sectors.count != 0 { faults.append("flush") }
            } else if sectors.count == 0 || sectors.start >= unit.sectorCount
                || UInt64(sectors.count) > unit.sectorCount - sectors.start || sectors.count > 32768
            {
                faults.append("range")
            }
            if operation.dataOutByteCount > BlockLimits.maximumDataOutByteCount { faults.append("data-out") }
        case .unmap(let operation):
            for range in operation.ranges where range.count == 0 || range.end > unit.sectorCount {
                faults.append("unmap range")
            }
        }
        if !faults.isEmpty { Issue.record("seed \(seed), CDB \(cdb): \(faults)") }
    }

    /// Mostly small numbers, so that ranges and lengths are often legal.
    private func randomCDB(_ opcode: UInt8, _ random: inout SeededRandom) -> CDB {
        var bytes = [opcode] + random.bytes(15)
        if !random.oneIn(3) { for index in 1..<16 where !random.oneIn(4) { bytes[index] = 0 } }
        return CDB(bytes)
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func everyOpcodeAnswersLegally(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let expectations = [0, 1, 8, 24, 511, 512, 513, 1024, 65535, Int(UInt32.max)]
        let server = TestUnit.server {
            $0.sectorCount = [1, 8, TestUnit.sectorCount, TestUnit.largestSectorCount][random.below(4)]
            $0.isReadOnly = random.oneIn(8)
            $0.readiness = random.oneIn(8) ? .becomingReady : .ready
        }
        for opcode in UInt8.min...UInt8.max {
            for _ in 0..<25 {
                let cdb = randomCDB(opcode, &random)
                let expected = expectations[random.below(expectations.count)]
                let lun = random.oneIn(10) ? random.next() : 0
                var attentions = random.oneIn(10) ? UnitAttentionQueue() : .drained
                let disposition = server.begin(
                    cdb, lun: LogicalUnitNumber(rawValue: lun), expectedDataOutByteCount: expected,
                    attentions: &attentions)
                check(disposition, of: server.unit, cdb: cdb, seed: seed)
                guard let command = disposition.parameterData else { continue }
                let received = min(expected, command.dataOutByteCount)
                let dataOut = random.oneIn(3) ? [UInt8](repeating: 0, count: received) : random.bytes(received)
                check(server.finish(command, dataOut), of: server.unit, cdb: cdb, seed: seed)
            }
        }
    }
}
