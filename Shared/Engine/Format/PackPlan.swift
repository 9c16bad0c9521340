// SPDX-License-Identifier: Apache-2.0
package import Wire

/// What an uploader is told to build: the blocks come in the same order as payload, 4 KiB each.
package struct PackPlan: Equatable, Sendable {
    package struct Frame: Equatable, Sendable {
        /// 1...16 consecutive blocks, or 1...4 in ascending order.
        package var blocks: [BlockIndex]
        /// CRC32C of each block, as it was when it arrived; the builder refuses data that does not match.
        package var checksums: [UInt32]
        package init(blocks: [BlockIndex], checksums: [UInt32]) {
            self.blocks = blocks
            self.checksums = checksums
        }
    }
    package var volume: VolumeID
    package var name: PackName
    package var firstSequence: JournalSequence
    package var lastSequence: JournalSequence
    /// 0 stores raw, 1...9 is zstd's level.
    package var compressionLevel: UInt8
    package var frames: [Frame]
    /// Blocks that read as zeros from here on; disjoint from the frames' blocks.
    package var zeroRuns: [BlockRange]
    package init(
        volume: VolumeID, name: PackName, firstSequence: JournalSequence, lastSequence: JournalSequence,
        compressionLevel: UInt8, frames: [Frame], zeroRuns: [BlockRange]
    ) {
        self.volume = volume
        self.name = name
        self.firstSequence = firstSequence
        self.lastSequence = lastSequence
        self.compressionLevel = compressionLevel
        self.frames = frames
        self.zeroRuns = zeroRuns
    }
    package var blockCount: Int { frames.reduce(0) { $0 + $1.blocks.count } }
}

/// What a pack holds, decoded from its directory.
package struct PackDirectory: Equatable, Sendable {
    package struct Frame: Equatable, Sendable {
        /// From the start of the object; a multiple of 64.
        package var byteOffset: UInt32
        /// As stored, frame header and padding included; a multiple of 64.
        package var byteCount: UInt32
        package var blocks: [BlockIndex]
        package init(byteOffset: UInt32, byteCount: UInt32, blocks: [BlockIndex]) {
            self.byteOffset = byteOffset
            self.byteCount = byteCount
            self.blocks = blocks
        }
    }
    package var volume: VolumeID
    package var name: PackName
    package var frames: [Frame]
    package var zeroRuns: [BlockRange]
    package init(volume: VolumeID, name: PackName, frames: [Frame], zeroRuns: [BlockRange]) {
        self.volume = volume
        self.name = name
        self.frames = frames
        self.zeroRuns = zeroRuns
    }

    package var dataBlockCount: Int { frames.reduce(0) { $0 + $1.blocks.count } }
}

/// One frame, verified and decompressed.
package struct FrameContents: Equatable, Sendable {
    package var blocks: [BlockIndex]
    package var checksums: [UInt32]
    /// 4 KiB per block, in their order; part of what the frame was decoded from, as a rule.
    package var bytes: ArraySlice<UInt8>
    package init(blocks: [BlockIndex], checksums: [UInt32], bytes: ArraySlice<UInt8>) {
        self.blocks = blocks
        self.checksums = checksums
        self.bytes = bytes
    }
}
