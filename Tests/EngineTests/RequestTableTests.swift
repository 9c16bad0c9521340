// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing
import Wire

// The table's encoding is internal to the engine's journal.
@testable import Engine

@Suite struct RequestTableTests {
    private func origin(_ frontend: UInt64, _ number: UInt64) -> RequestOrigin {
        RequestOrigin(frontend: ServiceInstance(rawValue: frontend), number: number)
    }

    @Test func answersRepeatsUntilTheFrontendConfirmsThem() {
        var table = RequestTable()
        #expect(table.verdict(on: origin(1, 5)) == .new)
        table.record(origin(1, 5))
        #expect(table.verdict(on: origin(1, 5)) == .applied)
        #expect(table.verdict(on: origin(2, 5)) == .new)
        table.raiseLowestOpen(of: ServiceInstance(rawValue: 1), to: 6)
        #expect(table.verdict(on: origin(1, 5)) == .obsolete)
        table.raiseLowestOpen(of: ServiceInstance(rawValue: 1), to: 3)
        #expect(table.verdict(on: origin(1, 5)) == .obsolete)
    }

    @Test func forgetsWhatWasConfirmedHoweverFarTheNumberJumps() {
        for jump in [1, 63, 64, 65, 5000] as [UInt64] {
            var table = RequestTable()
            for number in 0..<UInt64(200) { table.record(origin(1, number)) }
            table.raiseLowestOpen(of: ServiceInstance(rawValue: 1), to: jump)
            let kept = table.frontends[ServiceInstance(rawValue: 1)]?.applied ?? []
            #expect(kept == Set((0..<200).filter { $0 >= jump }))
        }
    }

    @Test func comesBackFromItsCheckpoint() throws {
        var random = SeededRandom(seed: 3)
        for _ in 0..<100 {
            var table = RequestTable()
            for _ in 0..<Int.random(in: 0..<50, using: &random) {
                table.record(origin(.random(in: 0..<4, using: &random), .random(in: 0..<100, using: &random)))
                table.raiseLowestOpen(
                    of: ServiceInstance(rawValue: .random(in: 0..<4, using: &random)),
                    to: .random(in: 0..<50, using: &random))
            }
            let words = table.encoded()
            #expect(try RequestTable(decoding: words).frontends == table.frontends)
            for count in 0..<words.count where count < words.count {
                #expect(throws: EngineError.self) { try RequestTable(decoding: Array(words.prefix(count))) }
            }
        }
    }
}
