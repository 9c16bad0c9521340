// SPDX-License-Identifier: Apache-2.0
package import Wire

/// A frame by name: what caches are keyed by. Packs never change, so what it names never does either.
package struct FrameReference: Hashable, Sendable {
    package var owner: VolumeID
    package var pack: PackName
    package var byteOffset: UInt32
    package var byteCount: UInt32
    package init(owner: VolumeID, pack: PackName, byteOffset: UInt32, byteCount: UInt32) {
        self.owner = owner
        self.pack = pack
        self.byteOffset = byteOffset
        self.byteCount = byteCount
    }

    package var key: ObjectKey { BucketLayout.dataPack(owner, pack) }
}

extension NodePointer {
    /// Data packs and map packs are named from one counter: so is what the read cache holds of them.
    package var cacheKey: FrameReference {
        FrameReference(owner: owner, pack: pack, byteOffset: byteOffset, byteCount: byteCount)
    }
    package var key: ObjectKey { BucketLayout.mapPack(owner, pack) }
}

/// Where a run of blocks of the committed image is.
package struct CommittedExtent: Hashable, Sendable {
    package enum Source: Hashable, Sendable {
        case zero
        /// One frame; the run's blocks are at `firstBlock`, `firstBlock + 1`, … of the frame's.
        case frame(FrameReference, firstBlock: Int)
    }
    package var blocks: BlockRange
    package var source: Source
    package init(blocks: BlockRange, source: Source) {
        self.blocks = blocks
        self.source = source
    }
}

extension [CommittedExtent] {
    /// Appends a run, joining it to the last extent where both are one piece of one thing.
    mutating func append(run blocks: BlockRange, _ source: CommittedExtent.Source) {
        guard !blocks.isEmpty else { return }
        if let last = self.last, last.blocks.end == blocks.start {
            let joins =
                switch (last.source, source) {
                case (.zero, .zero): true
                case (.frame(let left, let first), .frame(let right, let next)):
                    left == right && UInt64(next) == UInt64(first) + last.blocks.count
                default: false
                }
            if joins {
                self[count - 1].blocks.count += blocks.count
                return
            }
        }
        append(CommittedExtent(blocks: blocks, source: source))
    }
}
