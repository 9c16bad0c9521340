// SPDX-License-Identifier: Apache-2.0
import Testing
import Wire

// The table belongs to this executable alone, so nothing of it is visible from outside.
@testable import ISCSIFrontend

struct InitiatorTableTests {
    private let volume = VolumeID(rawValue: 1)

    private func begin(_ table: InitiatorTable, _ name: String) -> InitiatorFigures {
        table.begin(name, volume: volume, volumeName: "v")
    }

    @Test func figuresOutliveSessions() {
        let table = InitiatorTable()
        let first = begin(table, "a")
        first.readByteCount = 5
        first.count(.read, nanoseconds: 1)
        table.end(first)
        let again = begin(table, "a")
        #expect(again === first && again.sessionCount == 1)
        #expect(table.begin("a", volume: VolumeID(rawValue: 2), volumeName: "w") !== again)
        #expect(table.all.count == 2)
    }

    @Test func theOneWhoLeftFirstMakesRoomAndNothingIsLost() {
        let table = InitiatorTable(limit: 3)
        for name in ["a", "b", "c"] {
            let figures = begin(table, name)
            figures.writtenByteCount = 10
            figures.count(.write, nanoseconds: 2_000_000_000)
        }
        for name in ["b", "a"] {
            if let figures = table.all.first(where: { $0.initiator == name }) { table.end(figures) }
        }
        _ = begin(table, "d")
        #expect(table.all.map(\.initiator) == ["a", "c", "d", "other"])
        #expect(table.all.reduce(0) { $0 + $1.writtenByteCount } == 30)
        #expect(table.all.last?.commandCount(.write) == 1 && table.all.last?.commandSeconds(.write) == 2)
    }

    @Test func manyAtOnceShareOnePlace() {
        let table = InitiatorTable(limit: 2)
        let all = (0..<1000).map { begin(table, "host-\($0)") }
        #expect(table.all.map(\.initiator) == ["host-0", "host-1", "other"])
        #expect(table.all.map(\.sessionCount) == [1, 1, 998])
        for figures in all { table.end(figures) }
        #expect(table.all.map(\.sessionCount) == [0, 0, 0])
    }

    @Test func aVolumeThatIsGoneIsForgotten() {
        let table = InitiatorTable(limit: 1)
        let (named, other) = (begin(table, "a"), begin(table, "b"))
        table.forget(volume)
        #expect(table.all.isEmpty)
        table.end(named)
        table.end(other)
        #expect(table.all.isEmpty)
    }
}
