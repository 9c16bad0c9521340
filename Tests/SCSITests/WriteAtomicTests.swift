// SPDX-License-Identifier: Apache-2.0
import SCSI
import Testing
import Wire

@Suite struct WriteAtomicTests {
    private func cdb(at address: UInt64 = 5, boundary: UInt16 = 0, count: UInt16) -> CDB {
        CDB([0x9C, 0] + address.bytes + boundary.bytes + count.bytes + [0, 0])
    }

    @Test func everyLengthUpToTheAnnouncedOneIsWrittenAtOnce() {
        for count in 1...2048 as ClosedRange<UInt16> {
            let operation = TestUnit.decoder().begin(cdb(count: count), expectedDataOut: Int(count) * 512).operation
            #expect(operation == MediumOperation(kind: .write, sectors: SectorRange(start: 5, count: UInt32(count))))
        }
    }

    @Test func theRangeIsJudgedBeforeTheLimits() {
        for count in [2049, 32768, 65535] as [UInt16] {
            let disposition = TestUnit.decoder().decode(cdb(count: count), expectedDataOut: Int(count) * 512)
            let sectors = SectorRange(start: 5, count: UInt32(count))
            #expect(disposition.failsBehindRange(sectors, 0x2400, byte: 12))
        }
        for boundary in [1, 8, 0x0100, 0xFFFF] as [UInt16] {
            let disposition = TestUnit.decoder().decode(cdb(boundary: boundary, count: 8), expectedDataOut: 4096)
            #expect(disposition.failsBehindRange(SectorRange(start: 5, count: 8), 0x2400, byte: 10))
            #expect(TestUnit.decoder().begin(cdb(at: TestUnit.sectorCount, boundary: boundary, count: 8)).isOutOfRange)
        }
    }

    @Test func nothingIsWrittenAtOnceToo() {
        #expect(TestUnit.decoder().decode(cdb(count: 0)) == .check(SectorRange(start: 5, count: 0), .good))
    }
}
