// SPDX-License-Identifier: Apache-2.0
import DequeModule
import Platform
import Wire

/// One pack of a commit while it is put together and sent.
final class PackBuild {
    /// In the commit.
    let index: Int
    /// Blocks with data, ascending, and where their bytes are.
    private(set) var blocks: [(block: BlockIndex, entry: DirtyEntry)]
    private(set) var zeroRuns: [BlockRange]
    /// The blocks' bytes in order; nil while the pack has no memory.
    var buffer: IOBuffer?
    var checksums: [UInt32]
    /// Reads under way.
    var outstanding = 0
    var isBroken = false
    /// It was said that one of its blocks is lost.
    var isLossReported = false
    var failures = 0
    var name: PackName?

    init(index: Int, blocks: [(block: BlockIndex, entry: DirtyEntry)], zeroRuns: [BlockRange]) {
        self.index = index
        self.blocks = blocks
        self.zeroRuns = zeroRuns
        checksums = blocks.map(\.entry.checksum)
    }

    /// Blocks that turned out to be zeros when their parts were put together are not stored as data.
    func omitZeros() {
        guard let old = buffer else { return }
        func bytes(_ index: Int) -> Range<Int> {
            index * Geometry.blockByteCount..<(index + 1) * Geometry.blockByteCount
        }
        let kept = blocks.indices.filter { index in
            blocks[index].entry.partialIndex == nil || checksums[index] != CRC32C.zeroBlock
                || !old.isZero(bytes(index))
        }
        guard kept.count < blocks.count else { return }
        let new = IOBuffer(byteCount: kept.count * Geometry.blockByteCount)
        for (index, source) in kept.enumerated() {
            new.copy(
                old, from: bytes(source).lowerBound, byteCount: Geometry.blockByteCount, to: bytes(index).lowerBound)
        }
        let stays = Set(kept)
        let zeroed = blocks.indices.filter { !stays.contains($0) }.map { BlockRange(start: blocks[$0].block, count: 1) }
        var runs: [BlockRange] = []
        for run in (zeroRuns + zeroed).sorted(by: { $0.start < $1.start }) { runs.appendMerging(run) }
        zeroRuns = runs
        checksums = kept.map { checksums[$0] }
        blocks = kept.map { blocks[$0] }
        buffer = new
    }
}

/// A commit on its way (STORAGE §3): packs, then the intent in the journal, then HEAD.
struct Commit {
    enum Purpose {
        case epoch, cleanShutdown, tombstone
        /// Nothing new: replaces the HEAD on which commits of earlier runs are conditional, so that none can land late.
        case settling
        /// Nothing new, but a fold is done.
        case fold
        /// Nothing new, but settings are to change.
        case amendment
    }
    enum Stage: Equatable {
        case packs
        /// The intent is in the journal's queue; its sequence once it is published.
        case intent(JournalSequence?)
        case head
    }

    let purpose: Purpose
    let id: CommitID
    /// The last record that belongs to it.
    let sequence: JournalSequence
    let cutMilliseconds: UInt64
    let startedAt: UInt64
    var stage = Stage.packs
    let packs: PackDivision
    /// The next pack of them that was never begun.
    var nextPack = 0
    /// Begun and not stored.
    var builds: [Int: PackBuild] = [:]
    /// Of these, the ones that failed and wait for memory to be begun again.
    var failed: Deque<PackBuild> = []
    /// Of the record that declared it; set when that is published.
    var intentSequence = JournalSequence.zero
    var stored: [Int: StoredPack] = [:]
    /// Why it does not get on, for people.
    var delayReason: String?

    /// Packs that could be begun if there were memory. What failed and rests counts as under way: a bucket that takes
    /// nothing is asked for a few packs again and again, not for one after the other.
    func waitingPackCount(limit: Int) -> Int {
        failed.count + max(0, min(packs.packCount - nextPack, limit - builds.count))
    }

    var storedPacks: [StoredPack] { stored.sorted { $0.key < $1.key }.map(\.value) }
}

/// The memory that a volume has for packs, counted in packs.
struct PackMemory {
    var heldCount = 0
    /// Asked for and not given yet.
    var requestCount = 0
}

/// Who waits for which commit.
struct CommitCallers {
    /// For a cut that could not be made yet.
    var next: [CallerToken] = []
    /// One list for each frozen layer, in their order.
    var frozen: Deque<[CallerToken]> = []
    /// For the end: stop or delete.
    var ending: Ending?

    struct Ending {
        var caller: CallerToken
        var purpose: Commit.Purpose
        /// How long the end waits for a fold.
        var foldDeadline: UInt64
    }

    mutating func failAll(_ failure: VolumeFailure, _ effects: inout EffectQueue) {
        for caller in next + frozen.flatMap({ $0 }) + (ending.map { [$0.caller] } ?? []) {
            effects.append(.finished(caller, .failure(failure)))
        }
        next = []
        frozen = []
        ending = nil
    }
}

/// Groups the blocks of a pack into frames: runs of neighbours whole, cut where frames are aligned; the rest a few
/// together in block order (STORAGE §2).
enum FrameGrouping {
    static func frames(_ blocks: [(block: BlockIndex, checksum: UInt32)], limits: EngineLimits) -> [PackPlan.Frame] {
        var frames: [PackPlan.Frame] = []
        var scattered = PackPlan.Frame(blocks: [], checksums: [])
        func close() {
            if !scattered.blocks.isEmpty { frames.append(scattered) }
            scattered = PackPlan.Frame(blocks: [], checksums: [])
        }
        var index = 0
        while index < blocks.count {
            let run = runLength(blocks, from: index, limit: limits.contiguousFrameBlockCount)
            if run >= limits.scatteredFrameBlockCount {
                // Frames lie in block order, so that the payload is the blocks in order.
                close()
                let slice = blocks[index..<index + run]
                frames.append(PackPlan.Frame(blocks: slice.map(\.block), checksums: slice.map(\.checksum)))
            } else {
                for (block, checksum) in blocks[index..<index + run] {
                    scattered.blocks.append(block)
                    scattered.checksums.append(checksum)
                    if scattered.blocks.count == limits.scatteredFrameBlockCount { close() }
                }
            }
            index += run
        }
        close()
        return frames
    }

    private static func runLength(_ blocks: [(block: BlockIndex, checksum: UInt32)], from start: Int, limit: Int) -> Int
    {
        var count = 1
        while start + count < blocks.count,
            blocks[start + count].block == blocks[start].block.advanced(by: UInt64(count)),
            blocks[start + count].block.rawValue % UInt64(limit) != 0
        {
            count += 1
        }
        return count
    }
}
