// SPDX-License-Identifier: Apache-2.0
import SCSI
import TestSupport
import Testing

/// READ CAPACITY, REPORT LUNS, REQUEST SENSE and TEST UNIT READY.
@Suite struct DiscoveryCommandTests {
    private static let readCapacity16: [UInt8] = [0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 96, 0, 0]

    @Test func capacitiesHaveTheirGoldenBytes() throws {
        let small = TestUnit.server()
        let large = TestUnit.server { $0.sectorCount = TestUnit.largestSectorCount }
        #expect(try small.begin(CDB(opcode: 0x25)).dataIn == Golden.bytes("scsi/v1/read-capacity-10"))
        #expect(try large.begin(CDB(opcode: 0x25)).dataIn == Golden.bytes("scsi/v1/read-capacity-10-large"))
        #expect(try small.begin(Self.readCapacity16).dataIn == Golden.bytes("scsi/v1/read-capacity-16"))
        #expect(try large.begin(Self.readCapacity16).dataIn == Golden.bytes("scsi/v1/read-capacity-16-large"))
    }

    @Test func aResizeShowsAtOnce() throws {
        var server = TestUnit.server()
        server.unit.sectorCount *= 2
        let data = try #require(server.begin(CDB(opcode: 0x25)).dataIn)
        #expect(Array(data[..<4]) == [0x00, 0x3F, 0xFF, 0xFF])
        #expect(server.begin(CDB(block: 0x28, at: TestUnit.sectorCount, count: 1)).operation != nil)
    }

    @Test func oneDescriptorTellsTheStatusUpToTheEnd() throws {
        func ask(_ server: DeviceServer, _ address: UInt64) -> CommandDisposition {
            server.begin([0x9E, 0x12] + address.bytes + UInt32(64).bytes + [0, 0])
        }
        let server = TestUnit.server()
        for address in [0, 1, 4096, TestUnit.sectorCount - 1] {
            let rest = UInt32(TestUnit.sectorCount - address)
            let expected = UInt32(20).bytes + [0, 0, 0, 0] + address.bytes + rest.bytes + [0, 0, 0, 0]
            #expect(ask(server, address).dataIn == expected)
        }
        for address in [TestUnit.sectorCount, .max] { #expect(ask(server, address).isOutOfRange) }
        // As many as the field can say; the initiator asks again from there.
        let large = TestUnit.server { $0.sectorCount = TestUnit.largestSectorCount }
        #expect(ask(large, 5).dataIn?[16..<20] == [0xFF, 0xFF, 0xFF, 0xFF])
    }

    @Test func oneUnitIsReported() throws {
        for (select, name) in [(0, "report-luns"), (2, "report-luns"), (1, "report-luns-well-known")]
            as [(UInt8, String)]
        {
            let data = TestUnit.server().begin([0xA0, 0, select, 0, 0, 0, 0, 0, 1, 0, 0, 0]).dataIn
            #expect(try data == Golden.bytes("scsi/v1/\(name)"))
        }
        for select in UInt8(3)...255 {
            let disposition = TestUnit.server().begin([0xA0, 0, select, 0, 0, 0, 0, 0, 1, 0, 0, 0])
            #expect(disposition.isInvalidField(byte: 2))
        }
    }

    @Test func requestSenseReturnsAndClearsTheUnitAttention() throws {
        let server = TestUnit.server()
        var attentions = UnitAttentionQueue()
        var replies: [[UInt8]?] = []
        for _ in 0..<2 {
            let disposition = server.begin(
                CDB([0x03, 0, 0, 0, 252, 0]), lun: .zero, expectedDataOutByteCount: 0, attentions: &attentions)
            replies.append(disposition.dataIn)
        }
        #expect(try replies[0] == Golden.bytes("scsi/v1/sense-power-on"))
        #expect(try replies[1] == Golden.bytes("scsi/v1/sense-none"))
    }

    @Test func requestSenseTellsWhyTheUnitDoesNotServe() throws {
        let recovering = TestUnit.server { $0.readiness = .becomingReady }
        let reply = recovering.begin([0x03, 0, 0, 0, 252, 0]).dataIn
        #expect(try reply == Golden.bytes("scsi/v1/sense-not-ready-becoming"))
        let descriptor = TestUnit.server().begin([0x03, 1, 0, 0, 252, 0]).dataIn
        #expect(try descriptor == Golden.bytes("scsi/v1/sense-none-descriptor"))
    }

    @Test func testUnitReadyFollowsTheVolume() {
        #expect(TestUnit.server().begin(CDB(opcode: 0)).result == .good)
        let fenced = TestUnit.server { $0.readiness = .manualInterventionRequired }
        #expect(fenced.begin(CDB(opcode: 0)).fails(.notReady, 0x0403))
    }
}
