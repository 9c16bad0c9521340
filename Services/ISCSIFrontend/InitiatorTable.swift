// SPDX-License-Identifier: Apache-2.0
import Wire

/// What one initiator does with one volume. Its sessions count into it, on the loop's thread.
final class InitiatorFigures {
    /// What metrics call the initiator; that of many, when there are too many to name each.
    let initiator: String
    let volume: VolumeID
    let volumeName: String
    var sessionCount = 0
    var readByteCount: UInt64 = 0
    var writtenByteCount: UInt64 = 0
    private var commandCounts = InlineArray<4, UInt64>(repeating: 0)
    private var commandNanoseconds = InlineArray<4, UInt64>(repeating: 0)

    init(initiator: String, volume: VolumeID, volumeName: String) {
        self.initiator = initiator
        self.volume = volume
        self.volumeName = volumeName
    }

    func count(_ operation: VolumeOperation, nanoseconds: UInt64) {
        commandCounts[Self.index(of: operation)] += 1
        commandNanoseconds[Self.index(of: operation)] &+= nanoseconds
    }
    func commandCount(_ operation: VolumeOperation) -> UInt64 { commandCounts[Self.index(of: operation)] }
    /// Of all these commands together, from their receipt to their answers.
    func commandSeconds(_ operation: VolumeOperation) -> Double {
        Double(commandNanoseconds[Self.index(of: operation)]) / 1e9
    }

    func add(_ other: InitiatorFigures) {
        readByteCount += other.readByteCount
        writtenByteCount += other.writtenByteCount
        for index in commandCounts.indices {
            commandCounts[index] += other.commandCounts[index]
            commandNanoseconds[index] &+= other.commandNanoseconds[index]
        }
    }

    private static func index(of operation: VolumeOperation) -> Int {
        switch operation {
        case .read: 0
        case .write: 1
        case .flush: 2
        case .other: 3
        }
    }
}

/// The figures of all initiators, for metrics. Anybody who can reach a portal can choose names, so only so many are
/// told apart: when another comes, the one whose last session ended first becomes a part of `other`, and if all have
/// sessions, the newcomer does. On the loop's thread.
final class InitiatorTable {
    static let other = "other"

    private struct Entry {
        var figures: [VolumeID: InitiatorFigures] = [:]
        var sessionCount = 0
        /// Grows with each session that ends anywhere.
        var endedAt: UInt64 = 0
    }

    private let limit: Int
    /// Of initiators and volumes, each of which is a dozen samples.
    private let pairLimit: Int
    private var entries: [String: Entry] = [:]
    private var others: [VolumeID: InitiatorFigures] = [:]
    private var endCount: UInt64 = 0

    init(limit: Int = 256, pairLimit: Int = 1024) {
        self.limit = limit
        self.pairLimit = pairLimit
    }

    /// A session begins.
    func begin(_ initiator: String, volume: VolumeID, volumeName: String) -> InitiatorFigures {
        if entries[initiator] == nil, entries.count >= limit { makeRoom() }
        let isNamed = entries[initiator] != nil || entries.count < limit
        let isKnown = entries[initiator]?.figures[volume] != nil
        guard isNamed, isKnown || entries.values.reduce(0, { $0 + $1.figures.count }) < pairLimit else {
            let figures = other(volume, volumeName)
            figures.sessionCount += 1
            return figures
        }
        var entry = entries[initiator] ?? Entry()
        let figures =
            entry.figures[volume]
            ?? InitiatorFigures(initiator: initiator, volume: volume, volumeName: volumeName)
        entry.figures[volume] = figures
        entry.sessionCount += 1
        figures.sessionCount += 1
        entries[initiator] = entry
        return figures
    }

    /// The session that `begin` gave these figures has ended.
    func end(_ figures: InitiatorFigures) {
        figures.sessionCount -= 1
        endCount += 1
        entries[figures.initiator]?.sessionCount -= 1
        entries[figures.initiator]?.endedAt = endCount
    }

    /// The volume is gone, and what was done with it.
    func forget(_ volume: VolumeID) {
        others[volume] = nil
        for name in entries.keys { entries[name]?.figures[volume] = nil }
    }

    /// By initiator and volume.
    var all: [InitiatorFigures] {
        let named = entries.sorted { $0.key < $1.key }.flatMap { $0.value.figures.values }
        return named + others.values
    }

    private func makeRoom() {
        let idle = entries.filter { $0.value.sessionCount == 0 }
        guard let (name, entry) = idle.min(by: { $0.value.endedAt < $1.value.endedAt }) else { return }
        for figures in entry.figures.values { other(figures.volume, figures.volumeName).add(figures) }
        entries[name] = nil
    }

    private func other(_ volume: VolumeID, _ volumeName: String) -> InitiatorFigures {
        if let figures = others[volume] { return figures }
        let figures = InitiatorFigures(initiator: Self.other, volume: volume, volumeName: volumeName)
        others[volume] = figures
        return figures
    }
}
