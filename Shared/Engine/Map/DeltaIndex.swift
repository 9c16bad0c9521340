// SPDX-License-Identifier: Apache-2.0
import Wire

/// The packs since the last fold merged into one index: which frame holds a block, and what was zeroed.
///
/// 16 bytes a block in a table, 12 a frame, and the zeroed ranges. A block with an entry has that; one without is
/// zero if a range covers it; else the tree decides. So new data need not cut holes into ranges.
struct DeltaIndex {
    /// A frame among `frames`, and the block's place in it.
    struct Slot: BitwiseCopyable {
        var frame: UInt32
        var position: UInt8
    }

    struct Frame: BitwiseCopyable {
        var pack: UInt32
        var byteOffset: UInt32
        var byteCount: UInt32
    }

    struct Pack {
        var reference: PackReference
        /// Blocks in its frames, superseded ones included.
        var blockCount: UInt64
    }

    private(set) var packs: [Pack] = []
    private(set) var frames: [Frame] = []
    private(set) var blocks = BlockTable<Slot>()
    private(set) var zeros = RangeSet()

    /// Adds a pack that is newer than all before.
    mutating func apply(_ directory: PackDirectory, of reference: PackReference) {
        precondition(packs.count < Int(UInt32.max) && frames.count + directory.frames.count < Int(UInt32.max))
        let pack = UInt32(packs.count)
        var blockCount: UInt64 = 0
        // Ranges first: a pack states each block once, so within it their order does not matter.
        for run in directory.zeroRuns {
            blocks.removeAll(in: run)
            zeros.insert(run)
        }
        for frame in directory.frames {
            let number = UInt32(frames.count)
            frames.append(Frame(pack: pack, byteOffset: frame.byteOffset, byteCount: frame.byteCount))
            for (position, block) in frame.blocks.enumerated() {
                blocks[block] = Slot(frame: number, position: UInt8(position))
            }
            blockCount += UInt64(frame.blocks.count)
        }
        packs.append(Pack(reference: reference, blockCount: blockCount))
    }

    func reference(toFrame number: UInt32) -> FrameReference {
        let frame = frames[Int(number)]
        let pack = packs[Int(frame.pack)].reference
        return FrameReference(
            owner: pack.owner, pack: pack.name, byteOffset: frame.byteOffset, byteCount: frame.byteCount)
    }

    var byteCount: Int {
        blocks.byteCount + frames.count * MemoryLayout<Frame>.stride + zeros.count * MemoryLayout<BlockRange>.stride
    }
}
