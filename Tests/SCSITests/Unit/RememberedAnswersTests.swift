// SPDX-License-Identifier: Apache-2.0
import SCSI
import TestSupport
import Testing
import Wire

/// The answers of one frontend against a table of them, as numbers rise, close out of order, and are looked up.
@Suite struct RememberedAnswersTests {
    private static func origin(_ number: UInt64, lowest: UInt64) -> CommandOrigin {
        CommandOrigin(
            nexus: NexusID(rawValue: 1), frontend: UnitOwner.frontend, number: number, lowestOpenNumber: lowest)
    }

    @Test(arguments: Array(UInt64(1)...10)) func areThoseOfATable(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var memory = CommandMemory()
        var table: [UInt64: CommandMemory.Answer] = [:]
        var (lowest, highest) = (UInt64(1), UInt64(1))
        for _ in 0..<3000 {
            if UInt8.random(in: 0..<4, using: &random) == 0 {
                lowest = min(highest, lowest + UInt64.random(in: 0...20, using: &random))
            }
            highest += 1
            let number = UInt64.random(in: lowest...highest, using: &random)
            table = table.filter { $0.key >= lowest }
            let expected: CommandMemory.Verdict = table[number].map { .answered($0) } ?? .new
            #expect(memory.verdict(on: Self.origin(number, lowest: lowest)) == expected)
            #expect(lowest == 1 || memory.verdict(on: Self.origin(lowest - 1, lowest: 0)) != .new || table.isEmpty)
            if Bool.random(using: &random) {
                let answer: CommandMemory.Answer = Bool.random(using: &random) ? .refused(.busy) : .completed(.good)
                memory.remember(answer, of: Self.origin(number, lowest: lowest))
                table[number] = answer
            }
            #expect(memory.refusalCount == table.values.count { $0 == .refused(.busy) })
        }
    }

    /// It came late because it took long: its request is the likeliest to be repeated.
    @Test func theNewestAnswerStaysHoweverLowItsNumber() {
        var memory = CommandMemory()
        let limit = UInt64(CommandMemory.maximumAnswerCount)
        for number in 2...(limit + 1) { memory.remember(.refused(.busy), of: Self.origin(number, lowest: 1)) }
        memory.remember(.completed(.good), of: Self.origin(1, lowest: 1))
        #expect(memory.verdict(on: Self.origin(1, lowest: 1)) == .answered(.completed(.good)))
        #expect(memory.verdict(on: Self.origin(2, lowest: 1)) == .new)
        #expect(memory.refusalCount == Int(limit) - 1)
    }
}
