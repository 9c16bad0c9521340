// SPDX-License-Identifier: Apache-2.0
import SCSI
import Testing
import Wire

@Suite struct CompareAndWriteTests {
    private func begin(
        _ count: UInt32, at address: UInt64 = 0, expectedDataOut: Int, _ blockSize: LogicalBlockSize = .sector
    ) -> CommandDisposition {
        TestUnit.decoder(blockSize).begin(
            CDB(block: 0x89, at: address, count: count), expectedDataOut: expectedDataOut)
    }

    @Test func oneSectorIsComparedAndWritten() throws {
        let operation = try #require(begin(1, at: 42, expectedDataOut: 1024).operation)
        #expect(operation.kind == .compareAndWrite && operation.sectors == SectorRange(start: 42, count: 1))
        #expect(operation.dataOutByteCount == 1024)
        let transfer = try #require(operation.transfer(expectedByteCount: 1024))
        #expect(transfer.sectors == operation.sectors && transfer.byteCount == 1024 && transfer.tailSector == nil)
        #expect(operation.result(of: .good).transferByteCount == 1024)
    }

    @Test func aLargerBlockIsComparedAsAWhole() throws {
        let operation = try #require(begin(1, at: 42, expectedDataOut: 8192, .fourKibibytes).operation)
        #expect(operation.kind == .compareAndWrite && operation.sectors == SectorRange(start: 336, count: 8))
        #expect(operation.dataOutByteCount == 8192)
        let miscompare = operation.result(of: .miscompare(byteOffset: 4095))
        #expect(miscompare.sense?.information == 4095)
        for expected in [1024, 4096, 8191, 16384] {
            #expect(begin(1, expectedDataOut: expected, .fourKibibytes).isInvalidField(byte: 13))
        }
        #expect(begin(8, expectedDataOut: 65536, .fourKibibytes).isInvalidField(byte: 13))
    }

    @Test func moreSectorsThanAnnouncedAreRefused() {
        for count in 2...255 as ClosedRange<UInt32> {
            #expect(begin(count, expectedDataOut: Int(count) * 1024).isInvalidField(byte: 13))
            // Before the range is looked at.
            #expect(begin(count, at: .max, expectedDataOut: Int(count) * 1024).isInvalidField(byte: 13))
        }
    }

    @Test func theDataMustBeTwiceTheRange() {
        for expected in [0, 512, 1023, 1025, 2048, 2 * 256 * 512] {
            #expect(begin(1, expectedDataOut: expected).isInvalidField(byte: 13))
        }
        let disposition = TestUnit.decoder().decode(CDB(block: 0x89, at: 7, count: 1), expectedDataOut: 512)
        #expect(disposition.failsBehindRange(SectorRange(start: 7, count: 1), 0x2400, byte: 13))
        #expect(begin(1, at: TestUnit.sectorCount, expectedDataOut: 512).isOutOfRange)
    }

    @Test func zeroSectorsCompareEqualAndWriteNothing() {
        #expect(begin(0, expectedDataOut: 0).isGood)
        #expect(begin(0, at: TestUnit.sectorCount, expectedDataOut: 0).isOutOfRange)
        // 256 sectors, encoded as 0.
        #expect(begin(0, expectedDataOut: 2 * 256 * 512).isInvalidField(byte: 13))
    }
}
