// SPDX-License-Identifier: Apache-2.0
package import Wire

/// A set of blocks kept as sorted, disjoint, never touching ranges: what was trimmed or zeroed.
///
/// The ranges lie in chunks of bounded size, so that inserting among a million of them moves a few kilobytes and not
/// all that follow.
package struct RangeSet: Equatable, Sendable {
    private static let chunkCapacity = 256

    /// Never an empty chunk.
    private var chunks: [[BlockRange]] = []
    /// How many ranges there are.
    package private(set) var count = 0
    /// How many blocks the ranges cover.
    package private(set) var blockCount: UInt64 = 0

    package init() {}

    package var isEmpty: Bool { chunks.isEmpty }

    /// All ranges in ascending order.
    package var ranges: [BlockRange] { Array(chunks.joined()) }

    package func contains(_ block: BlockIndex) -> Bool {
        let place = firstPlace { $0.end > block }
        return place.chunk < chunks.count && chunks[place.chunk][place.index].start <= block
    }

    /// Whether every block of the range is in the set.
    package func contains(_ range: BlockRange) -> Bool {
        guard !range.isEmpty else { return true }
        let place = firstPlace { $0.end > range.start }
        guard place.chunk < chunks.count else { return false }
        let found = chunks[place.chunk][place.index]
        return found.start <= range.start && found.end >= range.end
    }

    /// The first range that ends after `block`, whole: it may begin before.
    package func firstRange(endingAfter block: BlockIndex) -> BlockRange? {
        let place = firstPlace { $0.end > block }
        return place.chunk < chunks.count ? chunks[place.chunk][place.index] : nil
    }

    /// The parts of the set inside `range`, in ascending order.
    package func intersections(with range: BlockRange) -> [BlockRange] {
        var result: [BlockRange] = []
        forEachIntersection(with: range) { result.append($0) }
        return result
    }

    package func forEachIntersection<Failure: Error>(
        with range: BlockRange, _ body: (BlockRange) throws(Failure) -> Void
    ) throws(Failure) {
        guard !range.isEmpty else { return }
        var place = firstPlace { $0.end > range.start }
        while place.chunk < chunks.count {
            let found = chunks[place.chunk][place.index]
            guard found.start < range.end else { return }
            let start = max(found.start, range.start)
            try body(BlockRange(start, upTo: min(found.end, range.end)))
            place = self.place(after: place)
        }
    }

    package mutating func insert(_ range: BlockRange) {
        guard !range.isEmpty else { return }
        // Ranges that only touch are merged too.
        let first = firstPlace { $0.end >= range.start }
        let last = firstPlace { $0.start > range.end }
        var merged = range
        if first < last {
            let lowest = chunks[first.chunk][first.index]
            let highest = self.range(before: last)
            merged = BlockRange(min(lowest.start, range.start), upTo: max(highest.end, range.end))
        }
        replace(first, upTo: last, with: [merged])
    }

    package mutating func remove(_ range: BlockRange) {
        guard !range.isEmpty else { return }
        let first = firstPlace { $0.end > range.start }
        let last = firstPlace { $0.start >= range.end }
        guard first < last else { return }
        let lowest = chunks[first.chunk][first.index]
        let highest = self.range(before: last)
        var remains: [BlockRange] = []
        if lowest.start < range.start { remains.append(BlockRange(lowest.start, upTo: range.start)) }
        if highest.end > range.end { remains.append(BlockRange(range.end, upTo: highest.end)) }
        replace(first, upTo: last, with: remains)
    }

    package mutating func removeAll() { self = Self() }

    // MARK: Places

    /// A range's position; one past the last is (chunks.count, 0).
    private struct Place: Comparable {
        var chunk: Int
        var index: Int
        static func < (left: Self, right: Self) -> Bool { (left.chunk, left.index) < (right.chunk, right.index) }
    }

    /// The first range for which `condition` holds; it must hold for all ranges after that one too.
    private func firstPlace(where condition: (BlockRange) -> Bool) -> Place {
        var low = 0
        var high = chunks.count
        while low < high {
            let middle = (low + high) / 2
            if condition(chunks[middle][chunks[middle].count - 1]) { high = middle } else { low = middle + 1 }
        }
        guard low < chunks.count else { return Place(chunk: chunks.count, index: 0) }
        let chunk = low
        (low, high) = (0, chunks[chunk].count)
        while low < high {
            let middle = (low + high) / 2
            if condition(chunks[chunk][middle]) { high = middle } else { low = middle + 1 }
        }
        return Place(chunk: chunk, index: low)
    }

    private func place(after place: Place) -> Place {
        place.index + 1 < chunks[place.chunk].count
            ? Place(chunk: place.chunk, index: place.index + 1) : Place(chunk: place.chunk + 1, index: 0)
    }

    private func range(before place: Place) -> BlockRange {
        if place.index > 0 { return chunks[place.chunk][place.index - 1] }
        let chunk = chunks[place.chunk - 1]
        return chunk[chunk.count - 1]
    }

    /// Puts `ranges` (at most two) in place of the ranges from `first` up to, not including, `last`.
    private mutating func replace(_ first: Place, upTo last: Place, with ranges: [BlockRange]) {
        var old = first
        while old < last {
            count -= 1
            blockCount -= chunks[old.chunk][old.index].count
            old = place(after: old)
        }
        for range in ranges { blockCount += range.count }
        count += ranges.count

        if chunks.isEmpty {
            if !ranges.isEmpty { chunks = [ranges] }
            return
        }
        if first.chunk == chunks.count {
            chunks[first.chunk - 1].append(contentsOf: ranges)
            return tidy(first.chunk - 1)
        }
        if first.chunk == last.chunk {
            chunks[first.chunk].replaceSubrange(first.index..<last.index, with: ranges)
            return tidy(first.chunk)
        }
        chunks[first.chunk].replaceSubrange(first.index..., with: ranges)
        if last.chunk < chunks.count {
            chunks[last.chunk].removeSubrange(..<last.index)
        }
        chunks.removeSubrange(first.chunk + 1..<last.chunk)
        tidy(first.chunk)
    }

    /// Drops the chunk if it is empty, halves it if it is too long.
    private mutating func tidy(_ index: Int) {
        let size = chunks[index].count
        if size == 0 {
            chunks.remove(at: index)
        } else if size > Self.chunkCapacity {
            let upper = Array(chunks[index][(size / 2)...])
            chunks[index].removeSubrange((size / 2)...)
            chunks.insert(upper, at: index + 1)
        }
    }

    /// Equal as sets: how the ranges are spread over chunks is of no interest.
    package static func == (left: Self, right: Self) -> Bool {
        left.count == right.count && left.blockCount == right.blockCount && left.ranges == right.ranges
    }
}

extension BlockRange {
    /// Blocks `start ..< end`; empty if `end` is not after `start`.
    package init(_ start: BlockIndex, upTo end: BlockIndex) {
        self.init(start: start, count: end > start ? end.rawValue - start.rawValue : 0)
    }
    /// The common part; empty if there is none.
    package func intersection(_ other: BlockRange) -> BlockRange {
        BlockRange(max(start, other.start), upTo: min(end, other.end))
    }
}
