// SPDX-License-Identifier: Apache-2.0
import SCSI
import TestSupport
import Testing

/// Which check wins when several would fail, and who is told of unit attentions.
@Suite struct DeviceServerTests {
    private static let otherUnit: UInt64 = 0x0001_0000_0000_0000

    @Test func anAbsentUnitAnswersOnlyWhatFindsUnits() throws {
        let server = TestUnit.server()
        for lun in [Self.otherUnit, 0x8000_0000_0000_0000, .max] {
            let inquiry = try #require(server.begin([0x12, 0, 0, 0, 96, 0], lun: lun).dataIn)
            #expect(inquiry[0] == 0x7F && inquiry.count == 96 && inquiry[4] == 91)
            #expect(server.begin([0xA0, 0, 0, 0, 0, 0, 0, 0, 0, 16], lun: lun).dataIn?.count == 16)
            let sense = server.begin([0x03, 0, 0, 0, 252, 0], lun: lun).dataIn
            #expect(try sense == Golden.bytes("scsi/v1/sense-unit-not-supported"))
            for opcode in UInt8.min...UInt8.max where ![0x12, 0xA0, 0x03].contains(opcode) {
                #expect(server.begin(CDB(opcode: opcode), lun: lun).fails(.illegalRequest, 0x2500))
            }
        }
    }

    @Test func anAbsentUnitHasNoIdentity() {
        let server = TestUnit.server()
        #expect(server.begin([0x12, 1, 0, 0, 255, 0], lun: Self.otherUnit).dataIn == [0x7F, 0, 0, 1, 0])
        for page in [0x80, 0x83, 0xB0] as [UInt8] {
            #expect(server.begin([0x12, 1, page, 0, 255, 0], lun: Self.otherUnit).isInvalidField(byte: 2))
        }
    }

    @Test func flatAddressingReachesTheUnitToo() {
        #expect(TestUnit.server().begin(CDB(opcode: 0), lun: 0x4000_0000_0000_0000).isGood)
    }

    @Test func theUnitIsJudgedBeforeTheOpcode() {
        #expect(TestUnit.server().begin(CDB(opcode: 0xFF), lun: Self.otherUnit).fails(.illegalRequest, 0x2500))
    }

    @Test func theOpcodeIsJudgedBeforeTheUnitAttention() {
        let server = TestUnit.server()
        var attentions = UnitAttentionQueue()
        for cdb in [CDB(opcode: 0xFF), CDB([0x9E, 0x11])] {
            let disposition = server.begin(
                cdb, lun: .zero, expectedDataOutByteCount: 0, attentions: &attentions)
            #expect(disposition.sense?.key == .illegalRequest)
        }
        #expect(attentions.contains(.powerOnOccurred))
    }

    @Test func eachCommandTakesOneUnitAttention() {
        let server = TestUnit.server()
        var attentions = UnitAttentionQueue()
        attentions.post(.capacityDataHasChanged)
        var codes: [UInt16?] = []
        for _ in 0..<3 {
            let disposition = server.begin(
                CDB(opcode: 0), lun: .zero, expectedDataOutByteCount: 0, attentions: &attentions)
            codes.append(disposition.sense?.additionalCode)
        }
        #expect(codes == [0x2901, 0x2A09, nil])
    }

    @Test func aUnitAttentionWinsOverEverythingTheCDBSays() {
        let server = TestUnit.server {
            $0.isReadOnly = true
            $0.readiness = .becomingReady
        }
        var attentions = UnitAttentionQueue()
        let disposition = server.begin(
            CDB(block: 0x8A, flags: 0xE0, at: .max, count: 0), lun: .zero, expectedDataOutByteCount: 0,
            attentions: &attentions)
        #expect(disposition.fails(.unitAttention, 0x2901))
    }

    @Test func inquiryAndReportLUNsLeaveUnitAttentionsAlone() {
        let server = TestUnit.server()
        var attentions = UnitAttentionQueue()
        attentions.post(.reportedLUNsDataHasChanged)
        for opcode in [0x12, 0xA0] as [UInt8] {
            let disposition = server.begin(
                CDB(opcode: opcode), lun: .zero, expectedDataOutByteCount: 0, attentions: &attentions)
            #expect(disposition.isGood)
        }
        #expect(attentions.contains(.powerOnOccurred))
        #expect(!attentions.contains(.reportedLUNsDataHasChanged))
    }

    @Test func readinessIsJudgedBeforeWriteProtection() {
        let server = TestUnit.server {
            $0.isReadOnly = true
            $0.readiness = .manualInterventionRequired
        }
        #expect(server.begin(CDB(block: 0x2A, at: 0, count: 1), expectedDataOut: 512).fails(.notReady, 0x0403))
    }

    @Test func aUnitThatDoesNotServeStillDescribesItself() {
        for (readiness, code) in [
            (LogicalUnit.Readiness.becomingReady, 0x0401 as UInt16),
            (.manualInterventionRequired, 0x0403),
        ] {
            let server = TestUnit.server { $0.readiness = readiness }
            for definition in CommandTable.definitions {
                let cdb = CDB([definition.opcode, definition.serviceAction ?? 0])
                let disposition = server.begin(cdb)
                switch definition.opcode {
                case 0x03, 0x12, 0xA0: #expect(disposition.isGood)
                case 0x1A, 0x5A: #expect(disposition.isInvalidField(byte: 2))  // Page 0.
                default: #expect(disposition.fails(.notReady, code))
                }
            }
        }
    }

    @Test func writeProtectionIsJudgedBeforeTheFields() {
        let server = TestUnit.server { $0.isReadOnly = true }
        let writes: Set<UInt8> = [0x2A, 0xAA, 0x8A, 0x41, 0x93, 0x42, 0x89]
        for definition in CommandTable.definitions {
            let cdb = CDB(block: definition.opcode, flags: 0xE0, at: .max, count: 0)
            let isRefused = server.begin(cdb, expectedDataOut: 3).fails(.dataProtect, 0x2700)
            #expect(isRefused == writes.contains(definition.opcode), "\(definition.command)")
        }
    }

    @Test func protectionInformationIsJudgedBeforeTheRange() {
        let server = TestUnit.server()
        for opcode in [0x28, 0xA8, 0x88, 0x2A, 0xAA, 0x8A, 0x41, 0x93, 0x89] as [UInt8] {
            for protection in UInt8(1)...7 {
                let cdb = CDB(block: opcode, flags: protection << 5, at: UInt64(UInt32.max), count: 1)
                #expect(server.begin(cdb, expectedDataOut: 512).isInvalidField(byte: 1))
            }
        }
    }

    @Test func contingentAllegianceIsRefused() {
        let server = TestUnit.server()
        for definition in CommandTable.definitions {
            var bytes = [UInt8](repeating: 0, count: definition.byteCount)
            bytes[0] = definition.opcode
            bytes[1] = definition.serviceAction ?? 0
            bytes[definition.byteCount - 1] = 0x04
            #expect(server.begin(bytes).isInvalidField(byte: UInt16(definition.byteCount - 1)))
        }
    }
}
