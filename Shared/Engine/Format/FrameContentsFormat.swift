// SPDX-License-Identifier: Apache-2.0
import Wire

/// A decoded frame on its way from uploader to cache manager, a message's payload, and as the read cache keeps it.
///
///     0     4   block count n, 1...16
///     4     4   0
///     8    8n   block indexes, ascending
///     +    4n   CRC32C of each block
///     +  4096n  the blocks
///
/// The receiver checks the blocks again: the checksums came with them from where the data arrived first.
extension FrameContents {
    package func encoded() -> [UInt8] {
        precondition(checksums.count == blocks.count && bytes.count == blocks.count * Geometry.blockByteCount)
        var output: [UInt8] = []
        output.reserveCapacity(8 + blocks.count * 12 + bytes.count)
        output.append(integer: UInt32(blocks.count))
        output.append(integer: UInt32(0))
        for block in blocks { output.append(integer: block.rawValue) }
        for checksum in checksums { output.append(integer: checksum) }
        output.append(contentsOf: bytes)
        return output
    }

    /// - Parameters:
    ///   - range: where in `encoded` it is; nil for all of it.
    ///   - isChecked: false only for the simulator, to break the rule.
    package init(
        decoding encoded: [UInt8], in range: Range<Int>? = nil, isChecked: Bool = true
    ) throws(EngineError) {
        var reader = ByteReader(
            encoded, from: range?.lowerBound ?? 0, upTo: range?.upperBound, format: .frameContents)
        let count = Int(try reader.integer(UInt32.self))
        guard (1...Geometry.blocksPerFrame).contains(count) else {
            throw .malformed(.frameContents, reason: "\(count) blocks")
        }
        try reader.expectZeros(4)
        let blocks = try reader.integers(count, UInt64.self).map { BlockIndex($0) }
        try BlockRules.check(ascending: blocks, format: .frameContents)
        let checksums: [UInt32] = try reader.integers(count)
        let bytes = try reader.bytes(count * Geometry.blockByteCount)
        try reader.expectEnd()
        if isChecked { try bytes.verify(checksums) }
        self.init(blocks: blocks, checksums: checksums, bytes: bytes)
    }
}
