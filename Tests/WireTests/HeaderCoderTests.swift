// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing
import Wire

struct HeaderCoderTests {
    private struct Fields: Equatable {
        var flag = false
        var byte: UInt8 = 0
        var triple: UInt32 = 0
        var sextuple: UInt64 = 0
        var long: UInt64 = 0

        mutating func layout(_ coder: inout HeaderCoder) {
            coder.flag(&flag, mask: 0x20, at: 0)
            coder.field(&byte, at: 1)
            coder.field24(&triple, at: 5)
            coder.field48(&sextuple, at: 8)
            coder.field(&long, at: 40)
        }
    }

    @Test func writesInNetworkByteOrderAndLeavesTheRestZero() {
        var fields = Fields(
            flag: true, byte: 1, triple: 0x02_0304, sextuple: 0x0506_0708_090a, long: 0x0b0c_0d0e_0f10_1112)
        var coder = HeaderCoder()
        fields.layout(&coder)
        var expected = [UInt8](repeating: 0, count: 48)
        expected[0] = 0x20
        expected[1] = 1
        expected.replaceSubrange(5..<8, with: [2, 3, 4])
        expected.replaceSubrange(8..<14, with: [5, 6, 7, 8, 9, 10])
        expected.replaceSubrange(40..<48, with: [11, 12, 13, 14, 15, 16, 17, 18])
        #expect(coder.bytes.indices.map { coder.bytes[$0] } == expected)
    }

    @Test func readsWhatItWrote() {
        var random = SeededRandom(seed: 2)
        for _ in 0..<1000 {
            var fields = Fields(
                flag: Bool.random(using: &random), byte: .random(in: 0 ... .max, using: &random),
                triple: .random(in: 0..<1 << 24, using: &random), sextuple: .random(in: 0..<1 << 48, using: &random),
                long: .random(in: 0 ... .max, using: &random))
            var coder = HeaderCoder()
            fields.layout(&coder)
            var decoder = HeaderCoder(decoding: coder.bytes)
            var decoded = Fields()
            decoded.layout(&decoder)
            #expect(decoded == fields)
        }
    }
}
