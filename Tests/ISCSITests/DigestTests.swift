// SPDX-License-Identifier: Apache-2.0
import ISCSI
import Testing

struct DigestTests {
    /// RFC 7143 appendix A.4, as the bytes lie on the wire.
    @Test func hasTheVectorsOfTheRFC() {
        let vectors: [([UInt8], [UInt8])] = [
            ([UInt8](repeating: 0x00, count: 32), [0xaa, 0x36, 0x91, 0x8a]),
            ([UInt8](repeating: 0xff, count: 32), [0x43, 0xab, 0xa8, 0x62]),
            ([UInt8](0...31), [0x4e, 0x79, 0xdd, 0x46]),
            ([UInt8](0...31).reversed(), [0x5c, 0xdb, 0x3f, 0x11]),
        ]
        for (bytes, expected) in vectors {
            var wire: [UInt8] = []
            Digest.append(unsafe Digest.checksum(bytes.span.bytes), to: &wire)
            #expect(wire == expected)
        }
    }
}
