// SPDX-License-Identifier: Apache-2.0
import Wire

/// A pack ready to be stored, and what the commit that names it needs to know.
package struct BuiltPack: Sendable {
    package var bytes: [UInt8]
    package var directoryOffset: UInt64
    /// The encoded directory, as it lies in `bytes`.
    package var directoryBytes: [UInt8]
    package var directory: PackDirectory

    package var reference: PackReference {
        PackReference(
            owner: directory.volume, name: directory.name, byteCount: UInt64(bytes.count),
            directoryOffset: directoryOffset, directoryByteCount: UInt32(directoryBytes.count))
    }
}

/// Builds packs one after another, reusing its compressor. Owned by one thread at a time.
package final class PackBuilder {
    private let codec = ZstdCodec()

    package init() {}

    /// - Parameter blocks: 4 KiB for each block of the plan's frames, in order.
    package func build(plan: PackPlan, blocks: UnsafeRawBufferPointer) throws(EngineError) -> BuiltPack {
        try plan.validate()
        guard blocks.count == plan.blockCount * Geometry.blockByteCount else {
            throw .malformed(.packPlan, reason: "\(blocks.count) bytes for \(plan.blockCount) blocks")
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(blocks.count + plan.frames.count * 256 + plan.zeroRuns.count * 16 + 4096)
        var entries: [PackDirectoryFormat.Entry] = []
        entries.reserveCapacity(plan.frames.count)
        var consumed = 0
        for frame in plan.frames {
            let start = bytes.count
            let plainByteCount = frame.blocks.count * Geometry.blockByteCount
            try unsafe FrameFormat.encode(
                frame, of: plan.identity,
                plaintext: UnsafeRawBufferPointer(rebasing: blocks[consumed..<consumed + plainByteCount]),
                level: Int(plan.compressionLevel), codec: codec, into: &bytes)
            consumed += plainByteCount
            guard start < FrameFormat.offsetLimit else { throw .tooLarge(.pack, byteCount: bytes.count) }
            entries.append(
                PackDirectoryFormat.Entry(
                    byteOffset: UInt32(start), byteCount: UInt32(bytes.count - start),
                    storedChecksum: CRC32C.checksum(bytes, in: start..<bytes.count), blocks: frame.blocks,
                    checksums: frame.checksums))
        }
        return try finish(plan, bytes, entries)
    }

    private func finish(
        _ plan: PackPlan, _ frames: [UInt8], _ entries: [PackDirectoryFormat.Entry]
    ) throws(EngineError) -> BuiltPack {
        var bytes = frames
        let directory = PackDirectoryFormat.encode(identity: plan.identity, entries: entries, zeroRuns: plan.zeroRuns)
        let footer = PackFooter(
            identity: plan.identity, frameCount: UInt32(entries.count), firstSequence: plan.firstSequence,
            lastSequence: plan.lastSequence, directoryOffset: UInt32(frames.count),
            directoryByteCount: UInt32(directory.count), directoryChecksum: CRC32C.checksum(directory))
        let footerBytes = footer.encoded()
        bytes.append(contentsOf: directory)
        bytes.append(contentsOf: footerBytes)

        // What was written is read again before anyone relies on it.
        let readBack = try PackDirectoryFormat.decode(directory, expecting: plan.identity)
        let readFooter = try PackFormat.decodeFooter(
            footerBytes, expecting: plan.identity, packByteCount: UInt64(bytes.count))
        guard readBack.entries == entries, readBack.zeroRuns == plan.zeroRuns, readFooter == footer else {
            throw .malformed(.pack, reason: "its directory or footer does not decode to itself")
        }
        return BuiltPack(
            bytes: bytes, directoryOffset: UInt64(frames.count), directoryBytes: directory,
            directory: PackDirectory(
                volume: plan.volume, name: plan.name,
                frames: entries.map {
                    PackDirectory.Frame(byteOffset: $0.byteOffset, byteCount: $0.byteCount, blocks: $0.blocks)
                },
                zeroRuns: plan.zeroRuns))
    }
}
