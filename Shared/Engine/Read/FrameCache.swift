// SPDX-License-Identifier: Apache-2.0

/// Decoded frames that were fetched from the bucket, least recently used out first, under a byte budget. Keyed by pack
/// and frame, and packs never change, so an entry cannot be stale.
struct FrameCache {
    private struct Entry {
        var contents: FrameContents
        var usedAt: UInt64
    }

    private let budget: Int
    private var entries: [FrameReference: Entry] = [:]
    private var byteCount = 0
    private var clock: UInt64 = 0

    init(byteCount: Int) { budget = byteCount }

    mutating func contents(of frame: FrameReference) -> FrameContents? {
        clock += 1
        guard entries[frame] != nil else { return nil }
        entries[frame]?.usedAt = clock
        return entries[frame]?.contents
    }

    mutating func insert(_ contents: FrameContents, of frame: FrameReference) {
        guard entries[frame] == nil else { return }
        clock += 1
        entries[frame] = Entry(contents: contents, usedAt: clock)
        byteCount += contents.bytes.count
        if byteCount > budget { evict() }
    }

    /// Drops the older half at once, so that the cost per insertion stays small.
    private mutating func evict() {
        let order = entries.map { ($0.value.usedAt, $0.key) }.sorted { $0.0 < $1.0 }
        for (_, frame) in order {
            guard byteCount > budget / 2 else { return }
            if let entry = entries.removeValue(forKey: frame) { byteCount -= entry.contents.bytes.count }
        }
    }
}
