// SPDX-License-Identifier: Apache-2.0
import Wire

/// What every list of blocks in our formats must obey, whoever wrote it.
enum BlockRules {
    /// Blocks of the largest volume.
    static let blockLimit = Geometry.largestVolumeByteCount / UInt64(Geometry.blockByteCount)
    /// More zero runs than this go into the next pack.
    static let zeroRunLimit = 1 << 20

    static func isContiguous(_ blocks: [BlockIndex]) -> Bool {
        guard let first = blocks.first, let last = blocks.last else { return true }
        return last.rawValue &- first.rawValue == UInt64(blocks.count - 1)
    }

    static func check(_ range: BlockRange, format: EngineError.FormatName) throws(EngineError) {
        guard range.count > 0, range.count <= blockLimit, range.start.rawValue <= blockLimit - range.count else {
            throw .malformed(format, reason: "blocks \(range.start.rawValue) + \(range.count)")
        }
    }

    static func check(ascending blocks: [BlockIndex], format: EngineError.FormatName) throws(EngineError) {
        guard (1...Geometry.blocksPerFrame).contains(blocks.count) else {
            throw .malformed(format, reason: "\(blocks.count) blocks in a frame")
        }
        for index in blocks.indices.dropFirst() where blocks[index - 1] >= blocks[index] {
            throw .malformed(format, reason: "blocks out of order")
        }
        guard let last = blocks.last, last.rawValue < blockLimit else {
            throw .malformed(format, reason: "block beyond the largest volume")
        }
    }

    /// Within one pack a block is stated once at most: replaying a pack must not depend on an order inside it.
    static func check(
        frames: [[BlockIndex]], zeroRuns: [BlockRange], format: EngineError.FormatName
    ) throws(EngineError) {
        guard !frames.isEmpty || !zeroRuns.isEmpty else { throw .malformed(format, reason: "empty") }
        guard zeroRuns.count <= zeroRunLimit else { throw .tooLarge(format, byteCount: zeroRuns.count * 16) }
        var all: [UInt64] = []
        for blocks in frames {
            try check(ascending: blocks, format: format)
            for block in blocks { all.append(block.rawValue) }
        }
        all.sort()
        for index in all.indices.dropFirst() where all[index - 1] == all[index] {
            throw .malformed(format, reason: "block \(all[index]) stated twice")
        }
        var next = 0
        var end: UInt64 = 0
        for run in zeroRuns {
            try check(run, format: format)
            guard run.start.rawValue >= end else { throw .malformed(format, reason: "zero runs out of order") }
            end = run.end.rawValue
            while next < all.count, all[next] < run.start.rawValue { next += 1 }
            if next < all.count, all[next] < end {
                throw .malformed(format, reason: "block \(all[next]) stated twice")
            }
        }
    }
}
