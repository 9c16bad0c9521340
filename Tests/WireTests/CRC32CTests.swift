// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing
import Wire

struct CRC32CTests {
    /// RFC 3720 appendix B.4, and the check value of the CRC catalogues.
    @Test func agreesWithThePublishedValues() {
        #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xe306_9283)
        #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8a91_36aa)
        #expect(CRC32C.checksum([UInt8](repeating: 0xff, count: 32)) == 0x62a8_ab43)
        #expect(CRC32C.checksum((0..<32).map { UInt8($0) }) == 0x46dd_794e)
        #expect(CRC32C.checksum([]) == 0)
    }

    @Test func goesOnWhereItEndedAtEverySplit() {
        var random = SeededRandom(seed: 1)
        let bytes = random.bytes(97)
        let whole = CRC32C.checksum(bytes)
        for split in 0...bytes.count {
            let head = CRC32C.checksum(Array(bytes[..<split]))
            let both = unsafe Array(bytes[split...]).withUnsafeBytes { unsafe CRC32C.checksum($0, continuing: head) }
            #expect(both == whole, "split at \(split)")
        }
    }

    @Test func knowsTheChecksumOfABlockOfZeros() {
        #expect(CRC32C.zeroBlock == CRC32C.checksum([UInt8](repeating: 0, count: 4096)))
    }
}
