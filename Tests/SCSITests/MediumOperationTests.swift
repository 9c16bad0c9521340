// SPDX-License-Identifier: Apache-2.0
import SCSI
import TestSupport
import Testing
import Wire

/// READ, WRITE and SYNCHRONIZE CACHE: what they decode to, how much of them moves, and how they end.
@Suite struct MediumOperationTests {
    @Test func everyLengthOfReadAndWriteDecodesAlike() throws {
        let server = TestUnit.server()
        let sectors = SectorRange(start: 0x1_2345, count: 0x67)
        for (opcode, kind) in [
            (0x08, MediumOperation.Kind.read), (0x28, .read), (0xA8, .read), (0x88, .read), (0x2A, .write),
            (0xAA, .write), (0x8A, .write),
        ] as [(UInt8, MediumOperation.Kind)] {
            let cdb = CDB(block: opcode, at: sectors.start, count: sectors.count)
            let operation = try #require(server.begin(cdb, expectedDataOut: sectors.byteCount).operation)
            #expect(operation == MediumOperation(kind: kind, sectors: sectors))
            #expect(operation.dataInByteCount == (kind == .read ? sectors.byteCount : 0))
            #expect(operation.dataOutByteCount == (kind == .write ? sectors.byteCount : 0))
        }
    }

    @Test func aShortReadOfZeroSectorsMeans256() throws {
        let operation = try #require(TestUnit.server().begin([0x08, 0, 0, 0, 0, 0]).operation)
        #expect(operation.sectors == SectorRange(start: 0, count: 256))
        let last = CDB(block: 0x08, at: TestUnit.sectorCount - 256, count: 0)
        #expect(TestUnit.server().begin(last).operation?.sectors.end == TestUnit.sectorCount)
        let past = CDB(block: 0x08, at: TestUnit.sectorCount - 255, count: 0)
        #expect(TestUnit.server().begin(past).isOutOfRange)
    }

    @Test func cacheBitsReachTheVolume() throws {
        let server = TestUnit.server()
        for opcode in [0x28, 0xA8, 0x88, 0x2A, 0xAA, 0x8A, 0x89] as [UInt8] {
            for flags in [0x00, 0x08, 0x10, 0x18] as [UInt8] {
                let cdb = CDB(block: opcode, flags: flags, at: 5, count: 1)
                let expected = opcode == 0x89 ? 1024 : 512
                let operation = try #require(server.begin(cdb, expectedDataOut: expected).operation)
                #expect(operation.forceUnitAccess == (flags & 0x08 != 0))
                #expect(operation.disablePageOut == (flags & 0x10 != 0))
            }
        }
    }

    @Test func obsoleteAndHintingBitsAreIgnored() {
        let server = TestUnit.server()
        // RARC, FUA_NV, RELADR, and a group number.
        #expect(server.begin([0x28, 0x07, 0, 0, 0, 0, 0x3F, 0, 1, 0]).operation != nil)
        #expect(server.begin([0x2A, 0x03, 0, 0, 0, 0, 0x3F, 0, 1, 0], expectedDataOut: 512).operation != nil)
        // IMMED: the answer waits for durability all the same.
        #expect(server.begin([0x35, 0x02]).operation?.kind == .flush)
    }

    @Test func transfersBeyondTheAnnouncedLimitAreRefused() {
        let server = TestUnit.server()
        for (opcode, byte) in [(0x28, 7), (0x2A, 7), (0xA8, 6), (0xAA, 6), (0x88, 10), (0x8A, 10)]
            as [(UInt8, UInt16)]
        {
            #expect(server.begin(CDB(block: opcode, at: 0, count: 32768)).operation?.sectors.count == 32768)
            #expect(server.begin(CDB(block: opcode, at: 0, count: 32769)).isInvalidField(byte: byte))
            // The range wins.
            let late = CDB(block: opcode, at: TestUnit.sectorCount - 1, count: 32769)
            #expect(server.begin(late).isOutOfRange)
        }
    }

    @Test func aFlushCoversTheWholeVolume() throws {
        for cdb in [CDB(block: 0x35, at: 0, count: 0), CDB(block: 0x91, at: 1000, count: 8)] {
            let operation = try #require(TestUnit.server().begin(cdb).operation)
            #expect(operation.kind == .flush && operation.dataOutByteCount == 0 && operation.dataInByteCount == 0)
            #expect(operation.transfer(expectedByteCount: 0) != nil)
            #expect(operation.result(of: .good).transferByteCount == 0)
        }
    }

    @Test func theInitiatorsExpectationCutsReadsAndWrites() throws {
        for kind in [MediumOperation.Kind.read, .write] {
            let operation = MediumOperation(kind: kind, sectors: SectorRange(start: 100, count: 2))
            #expect(operation.transfer(expectedByteCount: 0) == nil)

            let part = try #require(operation.transfer(expectedByteCount: 200))
            #expect(part.sectors == SectorRange(start: 100, count: 1))
            #expect(part.byteCount == 200 && part.partialTailByteCount == 200)
            #expect(part.tailSector == SectorRange(start: 100, count: 1))

            let one = try #require(operation.transfer(expectedByteCount: 512))
            #expect(one.sectors == SectorRange(start: 100, count: 1))
            #expect(one.byteCount == 512 && one.partialTailByteCount == 0 && one.tailSector == nil)

            let most = try #require(operation.transfer(expectedByteCount: 1023))
            #expect(most.sectors.count == 2 && most.partialTailByteCount == 511)
            #expect(most.tailSector == SectorRange(start: 101, count: 1))

            for more in [1024, 10000, Int(UInt32.max)] {
                let whole = try #require(operation.transfer(expectedByteCount: more))
                #expect(whole.sectors == operation.sectors && whole.byteCount == 1024 && whole.tailSector == nil)
            }
        }
    }

    @Test func everyCutCoversItsBytesAndNoMore() {
        let operation = MediumOperation(kind: .write, sectors: SectorRange(start: 7, count: 5))
        for expected in 1...3000 {
            guard let transfer = operation.transfer(expectedByteCount: expected) else {
                Issue.record("nothing moves for \(expected)")
                return
            }
            #expect(transfer.byteCount == min(expected, 2560))
            #expect(transfer.sectors.byteCount - transfer.byteCount < 512)
            #expect(transfer.sectors.byteCount >= transfer.byteCount)
            #expect(transfer.partialTailByteCount == transfer.byteCount % 512)
        }
    }

    @Test func outcomesBecomeStatusAndSense() {
        let write = MediumOperation(kind: .write, sectors: SectorRange(start: 0, count: 3))
        let outcomes: [(MediumOutcome, SCSIStatus, Sense?)] = [
            (.good, .good, nil),
            (.busy, .busy, nil),
            (.miscompare(byteOffset: 9), .checkCondition, Sense(.miscompare, 0x1D00, information: 9)),
            (.outOfRange, .checkCondition, Sense(.illegalRequest, 0x2100)),
            (.mediumError(sector: 77), .checkCondition, Sense(.mediumError, 0x1100, information: 77)),
            (.writeError, .checkCondition, Sense(.mediumError, 0x0C00)),
            (.fenced, .checkCondition, Sense(.notReady, 0x0403)),
            (.unknownVolume, .checkCondition, Sense(.illegalRequest, 0x2500)),
            (.refused, .checkCondition, Sense(.abortedCommand, 0x0000)),
        ]
        for (outcome, status, sense) in outcomes {
            let result = write.result(of: outcome)
            #expect(result.status == status && result.sense == sense && result.dataIn.isEmpty)
            #expect(result.transferByteCount == 1536)
        }
    }

    @Test func aFailedReadTransfersNothing() {
        let read = MediumOperation(kind: .read, sectors: SectorRange(start: 0, count: 3))
        #expect(read.result(of: .good).transferByteCount == 1536)
        for outcome in [MediumOutcome.busy, .mediumError(sector: 1), .fenced, .refused] {
            #expect(read.result(of: outcome).transferByteCount == 0)
        }
    }
}
