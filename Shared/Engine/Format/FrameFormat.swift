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
        let copy = unsafe [UInt8](plaintext)
        try verify(copy[...], checksums: frame.checksums)

        var payload: [UInt8] = []
        let isCompressed =
            level > 0
            ? try Self.compress(copy, level: level, codec: codec, into: &payload) : false
        if !isCompressed { payload = copy }
        let header = FrameHeader(
            identity: identity, codec: isCompressed ? .zstd : .raw, blocks: frame.blocks, checksums: frame.checksums,
            payloadByteCount: payload.count, payloadChecksum: CRC32C.checksum(payload))
        let headerBytes = header.encoded()
        // What was written is read again before anyone relies on it.
        guard try FrameHeader(decoding: headerBytes) == header else {
            throw .malformed(.frame, reason: "its header does not decode to itself")
        }
        output.append(contentsOf: headerBytes)
        output.append(contentsOf: payload)
        let length = headerBytes.count + payload.count
        output.append(zeros: padded(length) - length)
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
        guard bytes[end..<range.upperBound].allSatisfy({ $0 == 0 }) else { throw .malformed(.frame, reason: "padding is not zero") }
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
        try verify(plaintext, checksums: header.checksums)
        return FrameContents(blocks: header.blocks, checksums: header.checksums, bytes: plaintext)
    }

    static func verify(_ plaintext: ArraySlice<UInt8>, checksums: [UInt32]) throws(EngineError) {
        let size = Geometry.blockByteCount
        let source = unsafe plaintext.span.bytes
        try unsafe source.withUnsafeBytes { (bytes) throws(EngineError) in
            for (index, expected) in checksums.enumerated() {
                let block = unsafe UnsafeRawBufferPointer(rebasing: bytes[index * size..<(index + 1) * size])
                try unsafe expectChecksum(.frame, expected, found: CRC32C.checksum(block))
            }
        }
    }

    private static func compress(
        _ plaintext: [UInt8], level: Int, codec: ZstdCodec, into payload: inout [UInt8]
    ) throws(EngineError) -> Bool {
        guard level <= 9 else { throw .malformed(.packPlan, reason: "compression level \(level)") }
        let source = unsafe plaintext.span.bytes
        return try unsafe source.withUnsafeBytes { (bytes) throws(EngineError) in
            try unsafe codec.compress(bytes, level: level, appendingTo: &payload)
        }
    }
}
