// SPDX-License-Identifier: Apache-2.0
import Wire

/// A frame as stored: `FrameHeader`, payload, zeros up to a multiple of 64 (docs/formats/pack.md).
///
/// It verifies itself: whoever reads one needs neither the pack's directory nor the map to know that these bytes are
/// whole, whose they are and which blocks they hold. The checksum of each block was taken when the block arrived and
/// is carried through journal, pack and reader.
package enum FrameFormat {
    /// Map entries count offsets and lengths in this unit.
    package static let alignment = 64
    /// A map entry holds 19 bits of offset and 11 bits of length, both in units of `alignment`.
    static let offsetLimit = 64 << 19
    package static let lengthLimit = 64 << 11

    /// Bytes a frame may take: nothing larger needs to be read or believed.
    package static let largestByteCount = padded(
        FrameHeader.byteCount(blockCount: Geometry.blocksPerFrame, isContiguous: false)
            + Geometry.blocksPerFrame * Geometry.blockByteCount)

    static func padded(_ byteCount: Int) -> Int { (byteCount + alignment - 1) / alignment * alignment }

    /// Appends the frame.
    /// - Parameters:
    ///   - plaintext: 4 KiB per block in the frame's order. It is copied before it is checked, so what is stored is
    ///     what was checked even if the memory belongs to someone else.
    ///   - level: 0 stores raw, 1...9 is zstd's level.
    package static func encode(
        _ frame: PackPlan.Frame, of identity: PackIdentity, plaintext: UnsafeRawBufferPointer, level: Int,
        codec: ZstdCodec, into output: inout [UInt8]
    ) throws(EngineError) {
        try BlockRules.check(ascending: frame.blocks, format: .frame)
        guard frame.checksums.count == frame.blocks.count,
            plaintext.count == frame.blocks.count * Geometry.blockByteCount
        else { throw .malformed(.frame, reason: "blocks, checksums and data do not match in number") }
        guard level <= 9 else { throw .malformed(.packPlan, reason: "compression level \(level)") }
        let start = output.count
        let headerByteCount = FrameHeader.byteCount(
            blockCount: frame.blocks.count, isContiguous: BlockRules.isContiguous(frame.blocks))
        let payloadStart = start + headerByteCount
        output.append(zeros: headerByteCount)
        unsafe output.append(contentsOf: plaintext)
        let isCompressed = try compress(
            output, from: payloadStart, checksums: frame.checksums, level: level, codec: codec)
        if isCompressed { output.replaceSubrange(payloadStart..., with: codec.compressed) }
        let header = FrameHeader(
            identity: identity, codec: isCompressed ? .zstd : .raw, blocks: frame.blocks, checksums: frame.checksums,
            payloadByteCount: output.count - payloadStart,
            payloadChecksum: CRC32C.checksum(output, in: payloadStart..<output.count))
        let headerBytes = header.encoded()
        // What was written is read again before anyone relies on it.
        guard headerBytes.count == headerByteCount, try FrameHeader(decoding: headerBytes) == header else {
            throw .malformed(.frame, reason: "its header does not decode to itself")
        }
        output.replaceSubrange(start..<payloadStart, with: headerBytes)
        output.append(zeros: padded(output.count - start) - (output.count - start))
    }

    /// - Parameters:
    ///   - range: where in `bytes` exactly one frame is, padding included; nil for all of it.
    ///   - identity: the pack it was read from; nil if the caller does not know.
    package static func decode(
        _ bytes: [UInt8], in range: Range<Int>? = nil, expecting identity: PackIdentity?, codec: ZstdCodec
    ) throws(EngineError) -> FrameContents {
        let range = range ?? 0..<bytes.count
        guard range.count <= largestByteCount else { throw .tooLarge(.frame, byteCount: range.count) }
        let header = try FrameHeader(decoding: bytes, in: range)
        if let identity, identity != header.identity {
            throw .misplaced(.frame, reason: "of \(header.identity.volume) pack \(header.identity.name)")
        }
        let start = range.lowerBound + header.byteCount
        let plainByteCount = header.blocks.count * Geometry.blockByteCount
        guard header.payloadByteCount <= plainByteCount,
            padded(header.byteCount + header.payloadByteCount) == range.count
        else {
            throw .malformed(.frame, reason: "\(range.count) bytes for a payload of \(header.payloadByteCount)")
        }
        let end = start + header.payloadByteCount
        try expectChecksum(.frame, header.payloadChecksum, found: CRC32C.checksum(bytes, in: start..<end))
        guard bytes[end..<range.upperBound].allSatisfy({ $0 == 0 }) else {
            throw .malformed(.frame, reason: "padding is not zero")
        }
        let plaintext: ArraySlice<UInt8>
        switch header.codec {
        case .raw:
            guard header.payloadByteCount == plainByteCount else {
                throw .malformed(.frame, reason: "raw payload of \(header.payloadByteCount) bytes")
            }
            plaintext = bytes[start..<end]
        case .zstd:
            plaintext = try codec.decompress(bytes[start..<end], byteCount: plainByteCount)[...]
        }
        try plaintext.verify(header.checksums)
        return FrameContents(blocks: header.blocks, checksums: header.checksums, bytes: plaintext)
    }

    /// Verifies the blocks that lie at the end of `output`.
    /// - Returns: whether what the codec made of them is to take their place.
    private static func compress(
        _ output: [UInt8], from start: Int, checksums: [UInt32], level: Int, codec: ZstdCodec
    ) throws(EngineError) -> Bool {
        let source = unsafe output.span.bytes
        return try unsafe source.withUnsafeBytes { (bytes) throws(EngineError) in
            let plaintext = unsafe UnsafeRawBufferPointer(rebasing: bytes[start...])
            try unsafe verify(plaintext, checksums: checksums)
            return level > 0 ? try unsafe codec.compress(plaintext, level: level) : false
        }
    }

    /// - Parameter plaintext: 4 KiB for each checksum.
    static func verify(_ plaintext: UnsafeRawBufferPointer, checksums: [UInt32]) throws(EngineError) {
        let size = Geometry.blockByteCount
        for (index, expected) in checksums.enumerated() {
            let block = unsafe UnsafeRawBufferPointer(rebasing: plaintext[index * size..<(index + 1) * size])
            try unsafe expectChecksum(.frame, expected, found: CRC32C.checksum(block))
        }
    }
}

extension ArraySlice<UInt8> {
    /// Are these the blocks with these checksums?
    func verify(_ checksums: [UInt32]) throws(EngineError) {
        let source = unsafe span.bytes
        try unsafe source.withUnsafeBytes { (bytes) throws(EngineError) in
            try unsafe FrameFormat.verify(bytes, checksums: checksums)
        }
    }
}
