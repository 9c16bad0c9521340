// SPDX-License-Identifier: Apache-2.0
import Platform
import Testing

struct ZeroedWordsTests {
    @Test func beginsAsZerosAndKeepsWhatIsWritten() {
        let words = ZeroedWords(count: 1000)
        #expect((0..<1000).allSatisfy { words[$0] == 0 })
        words[0] = 7
        words[999] = .max
        #expect(words[0] == 7 && words[1] == 0 && words[998] == 0 && words[999] == .max)
    }
}
