// SPDX-License-Identifier: Apache-2.0
import SCSI
import TestSupport
import Testing
import Wire

/// Who answers which command, and which error ranks before which.
@Suite struct CommandDecoderTests {
    private static let otherUnit: UInt64 = 0x0001_0000_0000_0000
    private static let sanitizable = TestUnit.decoder { $0.isSanitizeAllowed = true }

    private func plain(_ definition: CommandDefinition) -> CDB {
        CDB([definition.opcode, definition.serviceAction ?? 0])
    }

    @Test func anAbsentUnitAnswersOnlyWhatFindsUnits() throws {
        let decoder = TestUnit.decoder()
        for lun in [Self.otherUnit, 0x8000_0000_0000_0000, .max] {
            let inquiry = try #require(decoder.decode(CDB([0x12, 0, 0, 0, 96, 0]), lun: lun).dataIn)
            #expect(inquiry[0] == 0x7F && inquiry.count == 96 && inquiry[4] == 91)
            let luns = decoder.decode(CDB([0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 16]), lun: lun)
            #expect(luns.dataIn?.count == 16)
            let sense = decoder.decode(CDB([0x03, 0, 0, 0, 252, 0]), lun: lun).dataIn
            #expect(try sense == Golden.bytes("scsi/v1/sense-unit-not-supported"))
            for opcode in UInt8.min...UInt8.max where ![0x12, 0xA0, 0x03].contains(opcode) {
                #expect(decoder.decode(CDB(opcode: opcode), lun: lun).fails(.illegalRequest, 0x2500))
            }
        }
    }

    @Test func anAbsentUnitHasNoIdentity() {
        let decoder = TestUnit.decoder()
        #expect(decoder.begin([0x12, 1, 0, 0, 255, 0], lun: Self.otherUnit).dataIn == [0x7F, 0, 0, 1, 0])
        for page in [0x80, 0x83, 0xB0] as [UInt8] {
            #expect(decoder.begin([0x12, 1, page, 0, 255, 0], lun: Self.otherUnit).isInvalidField(byte: 2))
        }
    }

    @Test func flatAddressingReachesTheUnitToo() {
        let disposition = TestUnit.decoder().decode(CDB(opcode: 0), lun: 0x4000_0000_0000_0000)
        #expect(disposition == .check(nil, .good))
    }

    @Test func theUnitIsJudgedBeforeTheOpcode() {
        #expect(TestUnit.decoder().decode(CDB(opcode: 0xFF), lun: Self.otherUnit).fails(.illegalRequest, 0x2500))
    }

    /// Everything else is for the owner to admit first, errors included.
    @Test func onlyWhatNeedsNoUnitIsAnsweredHere() {
        for definition in CommandTable.definitions {
            let isFinal = Self.sanitizable.decode(plain(definition)).result != nil
            #expect(isFinal == [0x12, 0xA0].contains(definition.opcode), "\(definition.command)")
        }
    }

    /// With every field wrong that a CDB can have: protection, control byte, an address past the end, no length.
    @Test func whatIsWrongWithACommandIsLeftForItsOwnerToRank() {
        for definition in CommandTable.definitions {
            var bytes = [UInt8](repeating: 0xFF, count: definition.byteCount)
            bytes[0] = definition.opcode
            if let serviceAction = definition.serviceAction { bytes[1] = 0xE0 | serviceAction }
            let disposition = Self.sanitizable.decode(CDB(bytes), expectedDataOut: 3)
            let control = UInt16(definition.byteCount - 1)
            if [0x12, 0xA0].contains(definition.opcode) {
                #expect(disposition.isInvalidField(byte: control))
            } else {
                #expect(disposition.isInvalidFieldBeforeRange(byte: control), "\(definition.command)")
            }
        }
    }

    @Test func neitherReadinessNorWriteProtectionIsJudgedHere() {
        let strange = TestUnit.decoder {
            $0.isReadOnly = true
            $0.readiness = .manualInterventionRequired
            $0.sectorCount = 1
        }
        for definition in CommandTable.definitions where definition.opcode != 0x12 {
            for bytes in [plain(definition), CDB(block: definition.opcode, at: 1 << 20, count: 1)] {
                let usual = TestUnit.decoder().decode(bytes, expectedDataOut: 512)
                #expect(strange.decode(bytes, expectedDataOut: 512) == usual)
            }
        }
    }

    @Test func protectionInformationIsJudgedBeforeTheRange() {
        let decoder = TestUnit.decoder()
        for opcode in [
            0x28, 0xA8, 0x88, 0x2A, 0xAA, 0x8A, 0x2E, 0xAE, 0x8E, 0x2F, 0xAF, 0x8F, 0x41, 0x93, 0x89, 0x8B, 0x9C,
        ] as [UInt8] {
            for protection in UInt8(1)...7 {
                let cdb = CDB(block: opcode, flags: protection << 5, at: UInt64(UInt32.max), count: 1)
                let disposition = decoder.decode(cdb, expectedDataOut: 512)
                #expect(disposition.isInvalidFieldBeforeRange(byte: 1), "\(opcode)")
            }
        }
    }

    @Test func contingentAllegianceIsRefused() {
        for definition in CommandTable.definitions {
            var bytes = [UInt8](repeating: 0, count: definition.byteCount)
            bytes[0] = definition.opcode
            bytes[1] = definition.serviceAction ?? 0
            bytes[definition.byteCount - 1] = 0x04
            let disposition = Self.sanitizable.begin(bytes)
            #expect(disposition.isInvalidField(byte: UInt16(definition.byteCount - 1)), "\(definition.command)")
            #expect(disposition.sense?.fieldPointer?.bit == 2)
        }
    }

    @Test func testUnitReadyAsksOnlyWhetherItMayRun() {
        #expect(TestUnit.decoder().decode(CDB(opcode: 0)) == .check(nil, .good))
    }

    @Test func parameterListsAreCollectedForTheDeviceServer() {
        let lists: [([UInt8], Int)] = [
            ([0x15, 0x10, 0, 0, 24, 0], 24),
            ([0x55, 0x10, 0, 0, 0, 0, 0, 0x01, 0x02, 0], 258),
            ([0x5F, 0, 0, 0, 0, 0, 0, 0, 24, 0], 24),
            ([0x5F, 6, 0, 0, 0, 0, 0, 0, 25, 0], 25),
            ([0x83, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0x10, 0, 0], 4112),
        ]
        for (bytes, byteCount) in lists {
            #expect(TestUnit.decoder().begin(bytes, expectedDataOut: byteCount).deviceServerDataOut == byteCount)
            #expect(TestUnit.decoder().begin(bytes).deviceServerDataOut == byteCount)
        }
    }

    @Test func noParameterListTakesMoreMemoryThanTheLongestOneNeeds() {
        for bytes in [
            [0x55, 0x10, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0], [0x5F, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0],
            [0x83, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0],
        ] as [[UInt8]] {
            let byteCount = TestUnit.decoder().begin(bytes).deviceServerDataOut
            #expect(byteCount == BlockLimits.maximumParameterListByteCount)
        }
    }

    @Test func commandsWithoutAListTakeNoData() {
        let withList: Set<UInt8> = [0x15, 0x55, 0x5F, 0x83]
        var asked = 0
        for definition in CommandTable.definitions where !withList.contains(definition.opcode) {
            var bytes = [UInt8](repeating: 0xFF, count: definition.byteCount - 1) + [0]
            bytes[0] = definition.opcode
            bytes[1] = definition.serviceAction ?? 0
            guard let byteCount = Self.sanitizable.begin(bytes).deviceServerDataOut else { continue }
            #expect(byteCount == 0, "\(definition.command)")
            asked += 1
        }
        #expect(asked == 27)
    }
}
