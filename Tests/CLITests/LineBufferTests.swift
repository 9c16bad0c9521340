// SPDX-License-Identifier: Apache-2.0
import CLI
import Testing

struct LineBufferTests {
    @Test func cutsLinesWhereverTheBytesAreSplit() {
        let bytes = Array("first\nsecond line\n\nrest".utf8)
        for split in 0...bytes.count {
            var buffer = LineBuffer()
            let lines = buffer.append(bytes[..<split]) + buffer.append(bytes[split...])
            #expect(lines == ["first", "second line", ""])
            #expect(buffer.finish() == ["rest"])
            #expect(buffer.finish() == [])
        }
    }

    @Test func aChildWithoutNewlinesCannotMakeItGrow() {
        var buffer = LineBuffer()
        let lines = buffer.append(repeatElement(UInt8(ascii: "x"), count: 200_000))
        #expect(lines.map(\.count) == [65536, 65536, 65536])
        #expect(buffer.finish().map(\.count) == [200_000 - 3 * 65536])
    }
}
