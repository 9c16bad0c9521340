// SPDX-License-Identifier: Apache-2.0

/// The answers that one frontend may ask for again, in the order of their numbers. Nearly every command that is looked
/// up here has none, and the lowest are forgotten all the time, so that both cost next to nothing.
struct RememberedAnswers: Equatable, Sendable {
    struct Entry: Equatable, Sendable {
        let number: UInt64
        var answer: CommandMemory.Answer
    }

    /// More than a frontend has open at a time.
    static let maximumCount = 1024

    /// Those before `head` are forgotten.
    private var storage: [Entry] = []
    private var head = 0
    private(set) var refusalCount = 0

    init() {}

    /// In any order.
    init(_ entries: [Entry]) {
        for entry in entries { insert(entry.answer, of: entry.number) }
    }

    var entries: ArraySlice<Entry> { storage[head...] }
    var isEmpty: Bool { head == storage.count }

    static func == (left: Self, right: Self) -> Bool { left.entries == right.entries }

    subscript(number: UInt64) -> CommandMemory.Answer? {
        guard let last = storage.last, number <= last.number else { return nil }
        let position = position(of: number)
        return storage[position].number == number ? storage[position].answer : nil
    }

    /// Replaces the one of the same number. The lowest of the others makes room.
    mutating func insert(_ answer: CommandMemory.Answer, of number: UInt64) {
        var position = position(of: number)
        if position < storage.count, storage[position].number == number {
            count(storage[position].answer, -1)
            storage[position].answer = answer
        } else {
            if storage.count - head >= Self.maximumCount {
                forgetFirst()
                position = self.position(of: number)
            }
            storage.insert(Entry(number: number, answer: answer), at: position)
        }
        count(answer, 1)
    }

    mutating func forget(below number: UInt64) {
        while head < storage.count, storage[head].number < number { forgetFirst() }
    }

    mutating func completeSanitize() {
        for index in storage.indices where storage[index].answer == .sanitizes {
            storage[index].answer = .completed(.good)
        }
    }

    private mutating func forgetFirst() {
        count(storage[head].answer, -1)
        // Lets go of what it holds; the place itself goes later, together with others.
        storage[head].answer = .sanitizes
        head += 1
        if head == storage.count {
            storage.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 64, head > storage.count / 2 {
            storage.removeSubrange(..<head)
            head = 0
        }
    }

    private mutating func count(_ answer: CommandMemory.Answer, _ change: Int) {
        if case .refused = answer { refusalCount += change }
    }

    /// Of the first that is not lower.
    private func position(of number: UInt64) -> Int {
        var (low, high) = (head, storage.count)
        while low < high {
            let middle = (low + high) / 2
            if storage[middle].number < number { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
