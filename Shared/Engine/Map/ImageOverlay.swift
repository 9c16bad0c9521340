// SPDX-License-Identifier: Apache-2.0
import Wire

/// The packs since the last fold as a reader in block order wants them: every write and every zeroed range, numbered
/// in the order in which they happened. Built without the index the gateway uses, so that the two check each other.
struct ImageOverlay {
    struct Write {
        var block: UInt64
        var order: UInt32
        var position: UInt8
    }
    struct Zeroed {
        var blocks: BlockRange
        var order: UInt32
    }

    /// By order; nil for the number of a zeroed range.
    private(set) var frames: [FrameReference?] = []
    /// Sorted by block, then order.
    private var writes: [Write] = []
    /// Sorted by start.
    private var zeroed: [Zeroed] = []
    private var nextZeroed = 0
    private var open: [Zeroed] = []

    init() {}

    /// - Parameter packs: in commit order.
    init(_ packs: [(reference: PackReference, directory: PackDirectory)]) {
        for (reference, directory) in packs {
            for run in directory.zeroRuns {
                zeroed.append(Zeroed(blocks: run, order: UInt32(frames.count)))
                frames.append(nil)
            }
            for frame in directory.frames {
                for (position, block) in frame.blocks.enumerated() {
                    writes.append(
                        Write(block: block.rawValue, order: UInt32(frames.count), position: UInt8(position)))
                }
                frames.append(
                    FrameReference(
                        owner: reference.owner, pack: reference.name, byteOffset: frame.byteOffset,
                        byteCount: frame.byteCount))
            }
        }
        writes.sort { ($0.block, $0.order) < ($1.block, $1.order) }
        zeroed.sort { $0.blocks.start < $1.blocks.start }
    }

    private func firstWrite(from block: BlockIndex) -> Int {
        var low = 0
        var high = writes.count
        while low < high {
            let middle = (low + high) / 2
            if writes[middle].block >= block.rawValue { high = middle } else { low = middle + 1 }
        }
        return low
    }

    func hasWrites(in blocks: BlockRange) -> Bool {
        let first = firstWrite(from: blocks.start)
        return first < writes.count && writes[first].block < blocks.end.rawValue
    }

    /// Plays back what happened in these blocks, oldest first. Windows must be asked for in ascending order.
    mutating func replay(
        in window: BlockRange, zero: (BlockRange) -> Void, write: (BlockIndex, FrameReference, Int) -> Void
    ) {
        open.removeAll { $0.blocks.end <= window.start }
        while nextZeroed < zeroed.count, zeroed[nextZeroed].blocks.start < window.end {
            if zeroed[nextZeroed].blocks.end > window.start { open.append(zeroed[nextZeroed]) }
            nextZeroed += 1
        }
        var events: [(order: UInt32, write: Write?, zeroed: BlockRange)] = open.map {
            ($0.order, nil, $0.blocks.intersection(window))
        }
        var index = firstWrite(from: window.start)
        while index < writes.count, writes[index].block < window.end.rawValue {
            events.append((writes[index].order, writes[index], BlockRange(start: window.start, count: 0)))
            index += 1
        }
        events.sort { $0.order < $1.order }
        for event in events {
            if let made = event.write {
                guard let frame = frames[Int(made.order)] else { continue }
                write(BlockIndex(made.block), frame, Int(made.position))
            } else {
                zero(event.zeroed)
            }
        }
    }
}
