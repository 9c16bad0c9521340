// SPDX-License-Identifier: Apache-2.0

/// What is due and when, in virtual time. Two events of one instant leave in the order they came in, so that a seed
/// has one schedule only.
package struct SimulationQueue<Event> {
    private struct Entry {
        var time: UInt64
        var order: UInt64
        var event: Event
    }

    /// A binary heap: the least entry is first.
    private var entries: [Entry] = []
    private var nextOrder: UInt64 = 0

    package init() {}

    package var count: Int { entries.count }
    package var nextTime: UInt64? { entries.first?.time }

    package mutating func add(_ event: Event, at time: UInt64) {
        entries.append(Entry(time: time, order: nextOrder, event: event))
        nextOrder += 1
        var index = entries.count - 1
        while index > 0 {
            let parent = (index - 1) / 2
            guard isBefore(index, parent) else { break }
            entries.swapAt(index, parent)
            index = parent
        }
    }

    package mutating func popFirst() -> (time: UInt64, event: Event)? {
        guard let first = entries.first else { return nil }
        let last = entries.removeLast()
        if !entries.isEmpty {
            entries[0] = last
            sink(from: 0)
        }
        return (first.time, first.event)
    }

    private mutating func sink(from start: Int) {
        var index = start
        while true {
            var least = index
            for child in [2 * index + 1, 2 * index + 2] where child < entries.count && isBefore(child, least) {
                least = child
            }
            guard least != index else { return }
            entries.swapAt(index, least)
            index = least
        }
    }

    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        let (a, b) = (entries[left], entries[right])
        return a.time != b.time ? a.time < b.time : a.order < b.order
    }
}
