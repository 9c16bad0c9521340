// SPDX-License-Identifier: Apache-2.0
import SCSI
import TestSupport
import Testing
import Wire

/// READ, WRITE, ORWRITE, PRE-FETCH and SYNCHRONIZE CACHE: what they decode to, how much of them moves, how they end.
@Suite struct MediumOperationTests {
    @Test(arguments: LogicalBlockSize.allCases)
    func everyLengthOfReadAndWriteDecodesAlike(blockSize: LogicalBlockSize) throws {
        let decoder = TestUnit.decoder(blockSize)
        let address: UInt64 = 0x1_2345
        let factor = UInt32(blockSize.byteCount / 512)
        // No more than a WRITE ATOMIC may have.
        let sectors = SectorRange(start: address * UInt64(factor), count: 0x67 * factor)
        for (opcode, kind) in [
            (0x08, MediumOperation.Kind.read), (0x28, .read), (0xA8, .read), (0x88, .read), (0x0A, .write),
            (0x2A, .write), (0xAA, .write), (0x8A, .write), (0x9C, .write), (0x8B, .orWrite),
        ] as [(UInt8, MediumOperation.Kind)] {
            let cdb = CDB(block: opcode, at: address, count: 0x67)
            let operation = try #require(decoder.begin(cdb, expectedDataOut: sectors.byteCount).operation)
            #expect(operation == MediumOperation(kind: kind, sectors: sectors, blockSize: blockSize))
            #expect(operation.dataInByteCount == (kind == .read ? sectors.byteCount : 0))
            #expect(operation.dataOutByteCount == (kind == .read ? 0 : sectors.byteCount))
        }
    }

    @Test(arguments: LogicalBlockSize.allCases)
    func aShortCommandOfZeroBlocksMeans256(blockSize: LogicalBlockSize) {
        let decoder = TestUnit.decoder(blockSize)
        let end = decoder.unit.blockCount
        for opcode in [0x08, 0x0A] as [UInt8] {
            let operation = decoder.begin([opcode, 0, 0, 0, 0, 0]).operation
            #expect(operation?.sectors == SectorRange(start: 0, count: 256 * blockSize.sectorCount))
            let last = CDB(block: opcode, at: end - 256, count: 0)
            #expect(decoder.begin(last).operation?.sectors.end == TestUnit.sectorCount)
            let past = CDB(block: opcode, at: end - 255, count: 0)
            #expect(decoder.begin(past).isOutOfRange)
        }
    }

    /// Where longer commands have flags, these have the high bits of the address, and three reserved ones.
    @Test func aShortCommandHasNoFlags() {
        for (opcode, kind) in [(0x08, MediumOperation.Kind.read), (0x0A, .write)] as [(UInt8, MediumOperation.Kind)] {
            for reserved in [0x00, 0xE0] as [UInt8] {
                let operation = TestUnit.decoder().begin([opcode, reserved | 0x1F, 0, 3, 2, 0]).operation
                #expect(operation == MediumOperation(kind: kind, sectors: SectorRange(start: 0x1F_0003, count: 2)))
            }
        }
    }

    @Test func cacheBitsReachTheVolume() throws {
        let decoder = TestUnit.decoder()
        for opcode in [0x28, 0xA8, 0x88, 0x2A, 0xAA, 0x8A, 0x89, 0x8B, 0x9C] as [UInt8] {
            for flags in [0x00, 0x08, 0x10, 0x18] as [UInt8] {
                let cdb = CDB(block: opcode, flags: flags, at: 5, count: 1)
                let expected = opcode == 0x89 ? 1024 : 512
                let operation = try #require(decoder.begin(cdb, expectedDataOut: expected).operation)
                #expect(operation.forceUnitAccess == (flags & 0x08 != 0))
                #expect(operation.disablePageOut == (flags & 0x10 != 0))
            }
        }
    }

    @Test func obsoleteAndHintingBitsAreIgnored() {
        let decoder = TestUnit.decoder()
        // RARC, FUA_NV, RELADR, and a group number.
        #expect(decoder.begin([0x28, 0x07, 0, 0, 0, 0, 0x3F, 0, 1, 0]).operation != nil)
        #expect(decoder.begin([0x2A, 0x03, 0, 0, 0, 0, 0x3F, 0, 1, 0], expectedDataOut: 512).operation != nil)
        // IMMED: the answer waits for durability all the same.
        #expect(decoder.begin([0x35, 0x02]).operation?.kind == .flush)
    }

    @Test(arguments: LogicalBlockSize.allCases)
    func transfersBeyondTheAnnouncedLimitAreRefused(blockSize: LogicalBlockSize) {
        let decoder = TestUnit.decoder(blockSize)
        let limit: UInt32 = 65536
        let factor = blockSize.sectorCount
        for opcode in [0x28, 0x2A, 0x2E] as [UInt8] {
            // As long as they can be.
            let longest = decoder.begin(CDB(block: opcode, at: 0, count: 65535))
            #expect(longest.operation?.sectors.count == 65535 * factor)
        }
        for (opcode, byte) in [
            (0xA8, 6), (0xAA, 6), (0xAE, 6), (0x88, 10), (0x8A, 10), (0x8E, 10), (0x8B, 10),
        ] as [(UInt8, UInt16)] {
            #expect(decoder.begin(CDB(block: opcode, at: 0, count: limit)).operation?.sectors.count == limit * factor)
            #expect(decoder.begin(CDB(block: opcode, at: 0, count: limit + 1)).isInvalidField(byte: byte))
            // The range wins: the owner is told of both.
            let disposition = decoder.decode(CDB(block: opcode, at: 5, count: 80000))
            let sectors = SectorRange(start: 5 * UInt64(factor), count: 80000 * factor)
            #expect(disposition.failsBehindRange(sectors, 0x2400, byte: byte))
            let late = CDB(block: opcode, at: decoder.unit.blockCount - 1, count: limit + 1)
            #expect(decoder.begin(late).isOutOfRange)
        }
    }

    @Test func aFlushCoversTheWholeVolume() throws {
        for (opcode, sectors) in [(0x35, SectorRange(start: 0, count: 0)), (0x91, SectorRange(start: 1000, count: 8))]
            as [(UInt8, SectorRange)]
        {
            let cdb = CDB(block: opcode, at: sectors.start, count: sectors.count)
            let operation = try #require(TestUnit.decoder().begin(cdb).operation)
            // What was asked for is kept, to be judged.
            #expect(operation.sectors == sectors)
            #expect(operation.kind == .flush && operation.dataOutByteCount == 0 && operation.dataInByteCount == 0)
            #expect(operation.transfer(expectedByteCount: 0) != nil)
            #expect(operation.result(of: .good).transferByteCount == 0)
        }
    }

    @Test func aPrefetchMovesNothing() throws {
        for opcode in [0x34, 0x90] as [UInt8] {
            for flags in [0, 2] as [UInt8] {
                let sectors = SectorRange(start: 1000, count: 50000)
                let cdb = CDB(block: opcode, flags: flags, at: sectors.start, count: sectors.count)
                let operation = try #require(TestUnit.decoder().begin(cdb).operation)
                #expect(operation == MediumOperation(kind: .prefetch, sectors: sectors))
                #expect(operation.dataOutByteCount == 0 && operation.dataInByteCount == 0)
                #expect(operation.transfer(expectedByteCount: 512)?.byteCount == 0)
                #expect(operation.result(of: .good) == .good)
            }
            // To the end of the medium.
            let all = TestUnit.decoder().begin(CDB(block: opcode, at: 7, count: 0)).operation
            #expect(all?.sectors == SectorRange(start: 7, count: 0))
        }
        let far = CDB(block: 0x90, at: 5, count: .max)
        #expect(TestUnit.decoder { $0.sectorCount = 1 << 37 }.begin(far).operation?.sectors.count == .max)
    }

    @Test func theInitiatorsExpectationCutsReadsAndWrites() throws {
        for kind in [MediumOperation.Kind.read, .write, .orWrite] {
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

    /// Of a larger block only the sectors that come are written; the last of them is merged.
    @Test func aShortWriteOfALargerBlockMergesASector() throws {
        let decoder = TestUnit.decoder(.fourKibibytes)
        for opcode in [0x0A, 0x2A, 0xAA, 0x8A] as [UInt8] {
            let operation = try #require(decoder.begin(CDB(block: opcode, at: 3, count: 2)).operation)
            #expect(operation.dataOutByteCount == 8192)
            let part = try #require(operation.transfer(expectedByteCount: 4096 + 700))
            #expect(part.sectors == SectorRange(start: 24, count: 10) && part.byteCount == 4796)
            #expect(part.tailSector == SectorRange(start: 33, count: 1) && part.partialTailByteCount == 188)
            let whole = try #require(operation.transfer(expectedByteCount: 4096))
            #expect(whole.sectors == SectorRange(start: 24, count: 8) && whole.tailSector == nil)
            #expect(operation.result(of: .good).transferByteCount == 8192)
        }
    }

    @Test func damageIsToldByItsBlock() {
        for (blockSize, address) in [(LogicalBlockSize.sector, 77), (.fourKibibytes, 9)] as [(LogicalBlockSize, UInt64)]
        {
            let sense = Sense(.mediumError, 0x1100, information: address)
            let read = MediumOperation(kind: .read, sectors: SectorRange(start: 64, count: 64), blockSize: blockSize)
            #expect(read.result(of: .mediumError(sector: 77)).sense == sense)
            let unmap = UnmapOperation(ranges: [], blockSize: blockSize, dataOutByteCount: 0)
            #expect(unmap.result(of: .mediumError(sector: 77)).sense == sense)
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
            (.reservationConflict, .reservationConflict, nil),
            (.checkCondition(Sense(.dataProtect, 0x2700)), .checkCondition, Sense(.dataProtect, 0x2700)),
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
        for outcome in [MediumOutcome.busy, .mediumError(sector: 1), .fenced, .refused, .reservationConflict] {
            #expect(read.result(of: outcome).transferByteCount == 0)
        }
    }
}
