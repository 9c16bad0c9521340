// SPDX-License-Identifier: Apache-2.0
import SCSI
import TestSupport
import Testing
import Wire

/// The short replies that describe the unit.
@Suite struct ReportTests {
    private static let readCapacity16: [UInt8] = [0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 96, 0, 0]

    @Test func capacitiesHaveTheirGoldenBytes() throws {
        let small = TestUnit.make()
        let large = TestUnit.make { $0.sectorCount = TestUnit.largestSectorCount }
        #expect(try small.report([0x25]).dataIn == Golden.bytes("scsi/v1/read-capacity-10"))
        #expect(try large.report([0x25]).dataIn == Golden.bytes("scsi/v1/read-capacity-10-large"))
        #expect(try small.report(Self.readCapacity16).dataIn == Golden.bytes("scsi/v1/read-capacity-16"))
        #expect(try large.report(Self.readCapacity16).dataIn == Golden.bytes("scsi/v1/read-capacity-16-large"))
        let coarse = TestUnit.make(.fourKibibytes)
        #expect(try coarse.report([0x25]).dataIn == Golden.bytes("scsi/v1/read-capacity-10-4096"))
        #expect(try coarse.report(Self.readCapacity16).dataIn == Golden.bytes("scsi/v1/read-capacity-16-4096"))
    }

    /// FFFFFFFFh sends the initiator to the long command: also when it is the true last address.
    @Test func theShortCapacityEndsWhereItsFieldDoes() {
        for (sectorCount, last) in [
            (1, 0), (1 << 32 - 1, 0xFFFF_FFFE), (1 << 32, .max), (1 << 32 + 1, .max),
        ] as [(UInt64, UInt32)] {
            let data = TestUnit.make { $0.sectorCount = sectorCount }.report([0x25]).dataIn
            #expect(data == last.bytes + UInt32(512).bytes)
            let coarse = TestUnit.make(.fourKibibytes) { $0.sectorCount = sectorCount * 8 }.report([0x25]).dataIn
            #expect(coarse == last.bytes + UInt32(4096).bytes)
        }
    }

    @Test func aResizeShowsAtOnce() {
        var unit = TestUnit.make()
        unit.sectorCount *= 2
        #expect(Array(unit.report([0x25]).dataIn[..<4]) == [0x00, 0x3F, 0xFF, 0xFF])
        #expect(Array(unit.report(Self.readCapacity16).dataIn[..<8]) == [0, 0, 0, 0, 0x00, 0x3F, 0xFF, 0xFF])
    }

    @Test func oneUnitIsReported() throws {
        for (select, name) in [(0, "report-luns"), (2, "report-luns"), (1, "report-luns-well-known")]
            as [(UInt8, String)]
        {
            let data = TestUnit.decoder().begin([0xA0, 0, select, 0, 0, 0, 0, 0, 1, 0, 0, 0]).dataIn
            #expect(try data == Golden.bytes("scsi/v1/\(name)"))
        }
        for select in UInt8(3)...255 {
            let disposition = TestUnit.decoder().begin([0xA0, 0, select, 0, 0, 0, 0, 0, 1, 0, 0, 0])
            #expect(disposition.isInvalidField(byte: 2))
        }
    }

    @Test func requestSenseReturnsTheSenseAsData() throws {
        let fixed = CDB([0x03, 0, 0, 0, 252, 0])
        let descriptor = CDB([0x03, 1, 0, 0, 252, 0])
        let attention = SCSIError.unitAttention(.powerOnOccurred).sense
        let replies: [(CDB, Sense, String)] = [
            (fixed, attention, "sense-power-on"), (fixed, .none, "sense-none"),
            (fixed, SCSIError.becomingReady.sense, "sense-not-ready-becoming"),
            (fixed, SCSIError.sanitizeInProgress(progress: 0x4000).sense, "sense-sanitize-in-progress"),
            (descriptor, .none, "sense-none-descriptor"),
        ]
        for (cdb, sense, name) in replies {
            let result = LogicalUnit.requestSense(cdb, sense)
            #expect(try result.dataIn == Golden.bytes("scsi/v1/\(name)"))
            #expect(result.status == .good && result.sense == nil)
        }
    }

    @Test func readinessIsTheOwnersToJudge() {
        for (readiness, code) in [(LogicalUnit.Readiness.becomingReady, 0x0401), (.manualInterventionRequired, 0x0403)]
            as [(LogicalUnit.Readiness, UInt16)]
        {
            let unit = TestUnit.make { $0.readiness = readiness }
            let error = #expect(throws: SCSIError.self) { try unit.checkReady() }
            #expect(error?.sense == Sense(.notReady, code))
        }
        #expect(throws: Never.self) { try TestUnit.make().checkReady() }
    }

    @Test func theOneTargetPortGroupHasItsGoldenBytes() throws {
        let data = TestUnit.make().report([0xA3, 0x0A, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]).dataIn
        #expect(try data == Golden.bytes("scsi/v1/report-target-port-groups"))
        for format in UInt8(1)...7 {
            let result = TestUnit.make().report([0xA3, format << 5 | 0x0A, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0])
            #expect(result.isInvalidField(byte: 1))
        }
    }

    /// The names of the port are the same in all places.
    @Test func theTargetPortGroupIsThatOfTheIdentification() throws {
        let groups = TestUnit.make().report([0xA3, 0x0A, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]).dataIn
        let page = try #require(TestUnit.decoder().begin([0x12, 1, 0x83, 0, 255, 0]).dataIn)
        let port = 4 + 20 + 33
        #expect(page[port..<port + 4] == [0x51, 0x94, 0, 4] && page[port + 8..<port + 12] == [0x51, 0x95, 0, 4])
        #expect(Array(page[port + 6..<port + 8]) == Array(groups[14...]))
        #expect(Array(page[port + 14..<port + 16]) == Array(groups[6..<8]))
    }

    @Test func taskManagementFunctionsHaveTheirGoldenBytes() throws {
        let unit = TestUnit.make()
        for (flags, name) in [(0x00, ""), (0x80, "-extended")] as [(UInt8, String)] {
            let data = unit.report([0xA3, 0x0D, flags, 0, 0, 0, 0, 0, 1, 0, 0, 0]).dataIn
            #expect(try data == Golden.bytes("scsi/v1/report-supported-task-management-functions\(name)"))
        }
    }

    /// Both lists, in the format asked for.
    @Test func defectListsAreEmpty() {
        let unit = TestUnit.make()
        for request in UInt8(0)..<32 {
            let short = unit.report([0x37, 0, request | 0xE0, 0, 0, 0, 0, 0, 255, 0])
            #expect(short.status == .good && short.dataIn == [0, request, 0, 0])
            let long = unit.report([0xB7, request | 0xE0, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0])
            #expect(long.status == .good && long.dataIn == [0, request, 0, 0, 0, 0, 0, 0])
        }
    }
}
