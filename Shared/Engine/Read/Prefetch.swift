// SPDX-License-Identifier: Apache-2.0
import DequeModule
import Wire

/// Notices sequential readers of a volume and says what they will read next (STORAGE §5). A reader is known by where
/// it would go on; the second time that it does, the blocks ahead of it are fetched, and each time that half of them
/// are behind it, twice as far, up to a limit. Random reads never match, so they fetch nothing.
struct Prefetch {
    private struct Stream {
        var next: BlockIndex
        var hits = 0
        /// How far ahead it was fetched the last time, and up to where.
        var window: UInt64 = 0
        var fetchedEnd = BlockIndex(0)
        var usedAt: UInt64
    }

    private var streams: [Stream] = []
    private var clock: UInt64 = 0
    /// What is still to be looked up, nearest first.
    var waiting: Deque<BlockRange> = []
    /// What was asked for.
    var tokens: [EffectToken: FrameReference] = [:]
    var frames: Set<FrameReference> = []
    /// Map nodes without which `waiting` cannot go on.
    var nodes: Set<NodePointer> = []

    /// A reader has read these blocks.
    /// - Returns: what is to be fetched for it, if anything; may go beyond the volume's end.
    mutating func note(_ blocks: BlockRange, limits: EngineLimits) -> BlockRange? {
        clock += 1
        // Reads of less than a block may begin in the block in which the last one ended.
        let match = streams.firstIndex { $0.next == blocks.start || $0.next == blocks.start.advanced(by: 1) }
        guard let match else {
            let stream = Stream(next: blocks.end, usedAt: clock)
            if streams.count < limits.prefetchStreamCount {
                streams.append(stream)
            } else if let oldest = streams.indices.min(by: { streams[$0].usedAt < streams[$1].usedAt }) {
                streams[oldest] = stream
            }
            return nil
        }
        var stream = streams[match]
        defer { streams[match] = stream }
        stream.usedAt = clock
        if blocks.end > stream.next { stream.hits += 1 }
        stream.next = max(stream.next, blocks.end)
        guard stream.hits >= 2, stream.next.advanced(by: stream.window / 2) >= stream.fetchedEnd else { return nil }
        stream.window =
            stream.window == 0
            ? limits.prefetchFirstBlockCount : min(stream.window * 2, limits.prefetchBlockCount)
        let start = max(stream.fetchedEnd, stream.next)
        let end = stream.next.advanced(by: stream.window)
        stream.fetchedEnd = end
        return BlockRange(start, upTo: end)
    }
}
