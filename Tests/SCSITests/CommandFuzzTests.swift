// SPDX-License-Identifier: Apache-2.0
import SCSI
import TestSupport
import Testing
import Wire

/// Any CDB from any initiator gets a legal answer, and what its owner lets through to the volume lies inside it.
@Suite struct CommandFuzzTests {
    private static let legalCodes: Set<UInt16> = [
        0x0E03, 0x1A00, 0x2000, 0x2100, 0x2400, 0x2500, 0x2600, 0x3900,
    ]

    /// How often each kind of answer was seen, so that the test cannot pass by refusing everything.
    private struct Tally {
        var complete = 0, parameterData = 0, unmap = 0, check = 0, checkOfRange = 0, deviceServer = 0
        var operations: [MediumOperation.Kind: Int] = [:]
    }

    private func faults(of result: CommandResult) -> [String] {
        var faults: [String] = []
        if (result.status == .checkCondition) != (result.sense != nil) { faults.append("sense") }
        if let sense = result.sense {
            if !Self.legalCodes.contains(sense.additionalCode) { faults.append("code") }
            if sense.key != .illegalRequest { faults.append("key") }
            if [0x2400, 0x2600].contains(sense.additionalCode), sense.fieldPointer == nil {
                faults.append("field pointer")
            }
            if !result.dataIn.isEmpty { faults.append("data with an error") }
            if Sense(fixed: sense.encoded()) != sense { faults.append("encoding") }
        } else if !result.dataIn.isEmpty, result.transferByteCount != result.dataIn.count {
            faults.append("transfer length")
        }
        return faults
    }

    private func faults(of operation: MediumOperation, in unit: LogicalUnit) -> [String] {
        let sectors = operation.sectors
        var faults: [String] = []
        if sectors.start >= unit.sectorCount || UInt64(sectors.count) > unit.sectorCount - sectors.start {
            faults.append("range")
        }
        if operation.kind != .flush, operation.kind != .prefetch,
            !(1...(operation.kind == .writeSame ? .max : 65536 * unit.blockSize.sectorCount) ~= sectors.count)
        {
            faults.append("limit")
        }
        if unit.blockSize == .fourKibibytes, sectors.start % 8 != 0 || sectors.count % 8 != 0 {
            faults.append("blocks")
        }
        if operation.dataOutByteCount > BlockLimits.maximumDataOutByteCount(unit.blockSize) {
            faults.append("data-out")
        }
        return faults
    }

    private func faults(of disposition: CommandDisposition, in unit: LogicalUnit, _ tally: inout Tally) -> [String] {
        switch disposition {
        case .check(let sectors, let result):
            tally.check += 1
            if sectors != nil { tally.checkOfRange += 1 }
            return faults(of: result)
        case .deviceServer(let byteCount):
            tally.deviceServer += 1
            return 0...8192 ~= byteCount ? [] : ["list length"]
        case .complete(let result):
            tally.complete += 1
            return faults(of: result)
        case .parameterData(let command):
            tally.parameterData += 1
            return 1...65535 ~= command.dataOutByteCount ? [] : ["parameter length"]
        case .medium(let operation):
            guard case .medium = unit.admit(disposition) else { return [] }
            tally.operations[operation.kind, default: 0] += 1
            return faults(of: operation, in: unit)
        case .unmap(let operation):
            guard case .unmap = unit.admit(disposition) else { return [] }
            tally.unmap += 1
            let isInside = operation.ranges.allSatisfy {
                $0.start <= unit.sectorCount && UInt64($0.count) <= unit.sectorCount - $0.start
            }
            return isInside && operation.ranges.count <= 256 && !operation.ranges.isEmpty ? [] : ["unmap range"]
        }
    }

    /// Half of them noise with mostly small numbers, half of them as initiators send them, near the start.
    private func randomCDB(_ opcode: UInt8, _ random: inout SeededRandom) -> CDB {
        let actions = CommandTable.definitions.filter { $0.opcode == opcode }.compactMap(\.serviceAction)
        if random.oneIn(2), actions.isEmpty {
            let flags: [UInt8] = opcode >> 5 == 0 ? [0] : [0x00, 0x00, 0x02, 0x08, 0x10, 0x18, 0x20]
            let counts: [UInt32] = [0, 1, 1, 2, 8, 24, 40]
            return CDB(
                block: opcode, flags: flags[random.below(flags.count)], at: UInt64(random.below(16)),
                count: counts[random.below(counts.count)])
        }
        var bytes = [opcode] + random.bytes(15)
        if !random.oneIn(3) { for index in 1..<16 where !random.oneIn(4) { bytes[index] = 0 } }
        if !actions.isEmpty, !random.oneIn(4) { bytes[1] = bytes[1] & 0xE0 | actions[random.below(actions.count)] }
        return CDB(bytes)
    }

    /// What the CDB asks for, if it is one that asks for sectors.
    private func exactDataOut(_ cdb: CDB) -> Int {
        let bytes = cdb.bytes
        switch bytes[0] {
        case 0x41, 0x93: return 512
        case 0x42: return Int(bytes[7]) << 8 + Int(bytes[8])
        case 0x89: return Int(bytes[13]) * 1024
        case 0x20...0x5F: return Int(bytes[7]) << 17 + Int(bytes[8]) << 9
        case 0xA0...0xBF: return bytes[6...9].reduce(0) { $0 << 8 | Int($1) } * 512
        default: return bytes[10...13].reduce(0) { $0 << 8 | Int($1) } * 512
        }
    }

    /// Noise, zeros, or an UNMAP list of small numbers.
    private func randomData(_ byteCount: Int, _ random: inout SeededRandom) -> [UInt8] {
        if random.oneIn(3) { return random.bytes(byteCount) }
        var data = [UInt8](repeating: 0, count: byteCount)
        guard byteCount >= 24, random.oneIn(2) else { return data }
        data[3] = UInt8(clamping: (byteCount - 8) / 16 * 16)
        for offset in stride(from: 8, through: byteCount - 16, by: 16) {
            data[offset + 7] = UInt8(random.below(10))
            data[offset + 11] = UInt8(random.below(10))
        }
        return data
    }

    /// All commands and all others, on units of every size.
    @Test(arguments: [1, 2, 3] as [UInt64])
    func everyOpcodeAnswersLegally(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var tally = Tally()
        for opcode in UInt8.min...UInt8.max {
            for _ in 0..<250 {
                let decoder = TestUnit.decoder(random.oneIn(4) ? .fourKibibytes : .sector) {
                    $0.sectorCount = [8, 16, TestUnit.sectorCount, TestUnit.largestSectorCount][random.below(4)]
                    $0.isSanitizeAllowed = random.oneIn(2)
                }
                check(randomCDB(opcode, &random), decoder, &random, &tally, seed: seed)
            }
        }
        #expect(tally.complete > 10000 && tally.check > 500 && tally.checkOfRange > 200)
        #expect(tally.deviceServer > 500 && tally.parameterData > 20 && tally.unmap > 10)
        let kinds: Set<MediumOperation.Kind> = [.read, .write, .writeSame, .verify, .orWrite, .flush, .prefetch]
        #expect(kinds.isSubset(of: Set(tally.operations.filter { $0.value >= 3 }.keys)), "\(tally.operations)")
    }

    private func check(
        _ cdb: CDB, _ decoder: CommandDecoder, _ random: inout SeededRandom, _ tally: inout Tally, seed: UInt64
    ) {
        let exact = exactDataOut(cdb)
        let expectations = [0, 1, 24, 511, 512, 1024, 4096, 65535, Int(UInt32.max), exact, exact]
        let expected = expectations[random.below(expectations.count)]
        let lun = random.oneIn(10) ? random.next() : 0
        let disposition = decoder.decode(cdb, lun: lun, expectedDataOut: expected)
        record(faults(of: disposition, in: decoder.unit, &tally), cdb, seed)
        guard let command = disposition.parameterData else { return }
        let received = min(expected, command.dataOutByteCount)
        let dataOut = randomData(received, &random)
        let finished = unsafe decoder.finish(command, dataOut: dataOut.span.bytes)
        record(faults(of: finished, in: decoder.unit, &tally), cdb, seed)
        if case .parameterData = finished { Issue.record("seed \(seed), CDB \(cdb): endless") }
    }

    private func record(_ faults: [String], _ cdb: CDB, _ seed: UInt64) {
        if !faults.isEmpty { Issue.record("seed \(seed), CDB \(cdb): \(faults)") }
    }

    /// The builders that the device server uses meet any CDB of theirs.
    @Test(arguments: [4, 5] as [UInt64])
    func everyReportAnswersLegally(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let described: [[UInt8]] = [
            [0x03], [0xA0], [0x25], [0x9E, 0x10], [0x37], [0xB7], [0x1A], [0x5A], [0x4D], [0xA3, 0x0A], [0xA3, 0x0C],
            [0xA3, 0x0D],
        ]
        for start in described {
            var good = 0
            for _ in 0..<500 {
                let unit = TestUnit.make(random.oneIn(2) ? .fourKibibytes : .sector) {
                    $0.sectorCount = [8, TestUnit.sectorCount, TestUnit.largestSectorCount][random.below(3)]
                    $0.isReadOnly = random.oneIn(2)
                    $0.isSanitizeAllowed = random.oneIn(2)
                }
                var bytes = [start[0]] + random.bytes(15)
                if random.oneIn(2) { for index in 1..<16 where !random.oneIn(8) { bytes[index] = 0 } }
                if start.count > 1 { bytes[1] = bytes[1] & 0xE0 | start[1] }
                // Pages that there are.
                if start[0] == 0x4D, random.oneIn(2) { bytes.replaceSubrange(1...3, with: [0, 0x0C, 0x00]) }
                if start[0] & 0xBF == 0x1A, random.oneIn(2) { bytes.replaceSubrange(2...3, with: [0x3F, 0xFF]) }
                let mode = ModeParameters(
                    isSoftwareWriteProtected: random.oneIn(2),
                    softThresholdSectorCount: random.oneIn(2) ? nil : random.next())
                let use = ProvisioningUse(
                    availableSectorCount: random.oneIn(2) ? nil : random.next(), usedSectorCount: random.next())
                let result = unit.report(bytes, mode, use)
                record(faults(of: result), CDB(bytes), seed)
                if result.status == .good { good += 1 }
            }
            #expect(good > 20, "\(start)")
        }
    }
}
