// SPDX-License-Identifier: Apache-2.0

/// Armed timers, earliest first; timers of one deadline fire in the order they were armed. Each timer knows its place,
/// so arming again and cancelling leave nothing behind. The heap keeps an armed timer alive.
struct TimerHeap {
    private struct Entry {
        var deadline: MonotonicInstant
        var order: UInt64
        var timer: LoopTimer
    }

    private var entries: [Entry] = []
    private var nextOrder: UInt64 = 0

    var nextDeadline: MonotonicInstant? { entries.first?.deadline }

    mutating func insert(_ timer: LoopTimer, _ deadline: MonotonicInstant) {
        remove(timer)
        entries.append(Entry(deadline: deadline, order: nextOrder, timer: timer))
        nextOrder += 1
        timer.heapIndex = entries.count - 1
        siftUp(entries.count - 1)
    }

    mutating func remove(_ timer: LoopTimer) {
        let index = timer.heapIndex
        guard index >= 0 else { return }
        timer.heapIndex = -1
        let last = entries.removeLast()
        guard index < entries.count else { return }
        entries[index] = last
        last.timer.heapIndex = index
        siftUp(index)
        siftDown(last.timer.heapIndex)
    }

    mutating func removeAll() {
        for entry in entries { entry.timer.heapIndex = -1 }
        entries = []
    }

    mutating func popDue(_ now: MonotonicInstant) -> LoopTimer? {
        guard let first = entries.first, first.deadline <= now else { return nil }
        remove(first.timer)
        return first.timer
    }

    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        let (a, b) = (entries[left], entries[right])
        return a.deadline == b.deadline ? a.order < b.order : a.deadline < b.deadline
    }

    private mutating func siftUp(_ start: Int) {
        var index = start
        while index > 0, isBefore(index, (index - 1) / 2) {
            exchange(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    private mutating func siftDown(_ start: Int) {
        var index = start
        while true {
            var smallest = index
            for child in [2 * index + 1, 2 * index + 2] where child < entries.count && isBefore(child, smallest) {
                smallest = child
            }
            guard smallest != index else { return }
            exchange(index, smallest)
            index = smallest
        }
    }

    private mutating func exchange(_ left: Int, _ right: Int) {
        entries.swapAt(left, right)
        entries[left].timer.heapIndex = left
        entries[right].timer.heapIndex = right
    }
}
