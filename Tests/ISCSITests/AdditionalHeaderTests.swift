// SPDX-License-Identifier: Apache-2.0
import ISCSI
import TestSupport
import Testing

struct AdditionalHeaderTests {
    @Test func readsAnExtendedCDBAndABidirectionalLength() throws {
        // An extended CDB of 20 bytes: length 5 = reserved byte and 4 bytes of CDB.
        let extended: [UInt8] = [0, 5, 1, 0, 0xaa, 0xbb, 0xcc, 0xdd]
        let bidirectional: [UInt8] = [0, 5, 2, 0, 0, 0, 0x10, 0]
        #expect(try AdditionalHeader(extended).hasExtendedCDB)
        let both = try AdditionalHeader(extended + bidirectional)
        #expect(both.hasExtendedCDB && both.isBidirectional)
        #expect(try AdditionalHeader([]) == AdditionalHeader([UInt8]()))
    }

    @Test func refusesLengthsThatDoNotFitAndUnknownTypes() {
        let malformed: [[UInt8]] = [
            [0, 0, 1, 0], [0, 5, 1, 0], [0xff, 0xff, 1, 0], [0, 5, 2, 0, 0, 0], [0, 1, 3, 0], [0, 1, 0, 0],
            [0, 6, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0], [0, 5, 1],
        ]
        for bytes in malformed {
            #expect(throws: ISCSIError.malformedAdditionalHeader) { try AdditionalHeader(bytes) }
        }
    }

    @Test func survivesArbitraryBytes() {
        var random = SeededRandom(seed: 11)
        for _ in 0..<5000 {
            var bytes = random.bytes(4 * random.below(12))
            for index in stride(from: 0, to: bytes.count, by: 4) where random.oneIn(2) { bytes[index] = 0 }
            _ = try? AdditionalHeader(bytes)
        }
    }
}
