// SPDX-License-Identifier: Apache-2.0

/// Decoded frames in memory, under a byte budget. Keyed by pack and frame, and packs never change, so an entry cannot
/// be stale. Frames that were read again some time after they came stay longest: a scan, which reads a frame a few
/// times in a row and never again, replaces only what came like itself.
struct FrameCache {
    private struct Entry {
        var contents: FrameContents
        var usedAt: UInt64
        /// `insertedByteCount` when it came.
        var age: UInt64
        /// Read again when much else had come since.
        var isProven = false
    }

    private var budget: Int
    private var entries: [FrameReference: Entry] = [:]
    private var byteCount = 0
    private var clock: UInt64 = 0
    private var insertedByteCount: UInt64 = 0

    init(byteCount: Int) { budget = byteCount }

    /// A smaller budget takes effect at once.
    mutating func resize(byteCount: Int) {
        budget = byteCount
        if self.byteCount > budget { evict() }
    }

    func holds(_ frame: FrameReference) -> Bool { entries[frame] != nil }

    mutating func contents(of frame: FrameReference) -> FrameContents? {
        clock += 1
        guard let entry = entries[frame] else { return nil }
        entries[frame]?.usedAt = clock
        if insertedByteCount - entry.age > UInt64(budget / 16) { entries[frame]?.isProven = true }
        return entry.contents
    }

    mutating func insert(_ contents: FrameContents, of frame: FrameReference) {
        guard entries[frame] == nil else { return }
        clock += 1
        insertedByteCount += UInt64(contents.bytes.count)
        entries[frame] = Entry(contents: contents, usedAt: clock, age: insertedByteCount)
        byteCount += contents.bytes.count
        if byteCount > budget { evict() }
    }

    /// Drops the worse half at once, so that the cost per insertion stays small. Those that stay have to prove
    /// themselves again.
    private mutating func evict() {
        let order = entries.map { (isProven: $0.value.isProven, usedAt: $0.value.usedAt, frame: $0.key) }.sorted {
            ($0.isProven ? 1 : 0, $0.usedAt) < ($1.isProven ? 1 : 0, $1.usedAt)
        }
        for item in order {
            if byteCount > budget / 2 {
                if let entry = entries.removeValue(forKey: item.frame) { byteCount -= entry.contents.bytes.count }
            } else if item.isProven {
                entries[item.frame]?.isProven = false
                entries[item.frame]?.age = insertedByteCount
            }
        }
    }
}
