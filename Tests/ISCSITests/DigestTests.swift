// SPDX-License-Identifier: Apache-2.0
import ISCSI
import Testing

struct DigestTests {
    /// The RFC's SCSI Command with a READ(10).
    private static let read10: [UInt8] = [
        0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0, 0, 0, 0, 0x14, 0, 0, 0,
        0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0,
    ]

    /// RFC 7143 appendix A.4, as the bytes lie on the wire.
    @Test func hasTheVectorsOfTheRFC() {
        let vectors: [([UInt8], [UInt8])] = [
            ([UInt8](repeating: 0x00, count: 32), [0xaa, 0x36, 0x91, 0x8a]),
            ([UInt8](repeating: 0xff, count: 32), [0x43, 0xab, 0xa8, 0x62]),
            ([UInt8](0...31), [0x4e, 0x79, 0xdd, 0x46]),
            ([UInt8](0...31).reversed(), [0x5c, 0xdb, 0x3f, 0x11]),
            (Self.read10, [0x56, 0x3a, 0x96, 0xd9]),
        ]
        for (bytes, expected) in vectors {
            var wire: [UInt8] = []
            Digest.append(unsafe Digest.checksum(bytes.span.bytes), to: &wire)
            #expect(wire == expected)
        }
    }

    @Test func goesOnWhereItStopped() {
        for cut in 0...Self.read10.count {
            let first = unsafe Digest.checksum(Array(Self.read10[..<cut]).span.bytes)
            let whole = unsafe Digest.checksum(Array(Self.read10[cut...]).span.bytes, continuing: first)
            #expect(whole == 0xd996_3a56)
        }
    }
}
