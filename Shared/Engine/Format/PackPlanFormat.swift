// SPDX-License-Identifier: Apache-2.0
import Wire

/// A pack plan on its way to an uploader: part of a message, never stored.
///
///      0   1   version, 1
///      1   1   compression level, 0...9
///      2   2   0
///      4   4   frame count
///      8   4   zero run count
///     12   8   volume id
///     20  12   pack name
///     32   8   first journal sequence
///     40   8   last journal sequence
///     48       per frame: block count n (1 byte), contiguous (1 byte), then as in `FrameHeader`: block indexes, CRCs
///      +       per zero run: start (8 bytes), count (8 bytes)
extension PackPlan {
    private static let version: UInt8 = 1
    package var identity: PackIdentity { PackIdentity(volume: volume, name: name) }

    /// Throws what is wrong with the plan itself; `encoded()` of a valid plan decodes to it.
    package func validate() throws(EngineError) {
        guard compressionLevel <= 9 else {
            throw .malformed(.packPlan, reason: "compression level \(compressionLevel)")
        }
        guard firstSequence <= lastSequence else { throw .malformed(.packPlan, reason: "journal range") }
        for frame in frames where frame.checksums.count != frame.blocks.count {
            throw .malformed(.packPlan, reason: "blocks and checksums do not match in number")
        }
        try BlockRules.check(frames: frames.map(\.blocks), zeroRuns: zeroRuns, format: .packPlan)
    }

    package func encoded() -> [UInt8] {
        var output: [UInt8] = [Self.version, compressionLevel, 0, 0]
        output.reserveCapacity(48 + frames.count * 10 + blockCount * 12 + zeroRuns.count * 16)
        output.append(integer: UInt32(frames.count))
        output.append(integer: UInt32(zeroRuns.count))
        output.append(integer: volume.rawValue)
        output.append(name: name)
        output.append(integer: firstSequence.rawValue)
        output.append(integer: lastSequence.rawValue)
        for frame in frames {
            let isContiguous = BlockRules.isContiguous(frame.blocks)
            output.append(UInt8(frame.blocks.count))
            output.append(isContiguous ? 1 : 0)
            for block in isContiguous ? frame.blocks.prefix(1) : frame.blocks[...] {
                output.append(integer: block.rawValue)
            }
            for checksum in frame.checksums { output.append(integer: checksum) }
        }
        for run in zeroRuns {
            output.append(integer: run.start.rawValue)
            output.append(integer: run.count)
        }
        return output
    }

    package init(decoding encoded: [UInt8]) throws(EngineError) {
        var reader = ByteReader(encoded, format: .packPlan)
        try reader.expect(version: Self.version)
        let level: UInt8 = try reader.integer()
        try reader.expectZeros(2)
        let frameCount = Int(try reader.integer(UInt32.self))
        let runCount = Int(try reader.integer(UInt32.self))
        let volume = VolumeID(rawValue: try reader.integer())
        let name = try reader.packName()
        let first = JournalSequence(try reader.integer())
        let last = JournalSequence(try reader.integer())
        // The smallest frame takes 14 bytes: a count that cannot be true is refused before memory is reserved.
        guard frameCount <= reader.remaining / 14, runCount <= reader.remaining / 16 else {
            throw .malformed(.packPlan, reason: "\(frameCount) frames and \(runCount) zero runs")
        }
        var frames: [Frame] = []
        frames.reserveCapacity(frameCount)
        for _ in 0..<frameCount { frames.append(try Self.decodeFrame(&reader)) }
        var runs: [BlockRange] = []
        runs.reserveCapacity(runCount)
        for _ in 0..<runCount {
            runs.append(BlockRange(start: BlockIndex(try reader.integer()), count: try reader.integer()))
        }
        try reader.expectEnd()
        self.init(
            volume: volume, name: name, firstSequence: first, lastSequence: last, compressionLevel: level,
            frames: frames, zeroRuns: runs)
        try validate()
    }

    private static func decodeFrame(_ reader: inout ByteReader) throws(EngineError) -> Frame {
        let count = Int(try reader.integer(UInt8.self))
        let contiguous: UInt8 = try reader.integer()
        guard (1...Geometry.blocksPerFrame).contains(count), contiguous <= 1 else {
            throw .malformed(.packPlan, reason: "a frame of \(count) blocks, flag \(contiguous)")
        }
        var blocks: [BlockIndex]
        if contiguous == 1 {
            let first = BlockIndex(try reader.integer())
            try BlockRules.check(BlockRange(start: first, count: UInt64(count)), format: .packPlan)
            blocks = (0..<UInt64(count)).map(first.advanced)
        } else {
            blocks = try reader.integers(count, UInt64.self).map { BlockIndex($0) }
        }
        return Frame(blocks: blocks, checksums: try reader.integers(count))
    }
}
