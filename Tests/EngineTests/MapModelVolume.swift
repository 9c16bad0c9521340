// SPDX-License-Identifier: Apache-2.0
import Engine
import TestSupport
import Testing
import Wire

/// A volume as the map sees it, with a dictionary beside it that says what must come out: commits go into an in-memory
/// bucket through the production pack builder, look-ups and folds fetch from there.
final class MapModelVolume {
    let volume: VolumeID
    private(set) var blockCount: UInt64
    var bucket: [ObjectKey: [UInt8]] = [:]
    var map: CommittedMap
    var model: [UInt64: UInt64] = [:]
    var random: SeededRandom
    var foldNumber: UInt64 = 0
    let mapPackByteCount: Int
    let nodeCacheByteCount: Int
    private var nextNumber: UInt32 = 0
    private var nextStamp: UInt64 = 1
    private let builder = PackBuilder()
    private let codec = ZstdCodec()
    var nodesFetched = 0
    var lastFold = FoldStatistics()

    init(
        blockCount: UInt64, seed: UInt64, mapPackByteCount: Int = 600, nodeCacheByteCount: Int = 20_000,
        volume: VolumeID = VolumeID(rawValue: 7)
    ) {
        self.blockCount = blockCount
        self.volume = volume
        self.mapPackByteCount = mapPackByteCount
        self.nodeCacheByteCount = nodeCacheByteCount
        random = SeededRandom(seed: seed)
        map = CommittedMap(
            root: ImageRoot(), volumeByteCount: blockCount * 4096, foldNumber: 0, lineage: 5,
            nodeCacheByteCount: nodeCacheByteCount)
    }

    func newName() -> PackName {
        nextNumber += 1
        return PackName(generation: 1, start: 1, number: nextNumber)
    }

    /// A block says which write it is at its start and its end; frames check what is between.
    static func bytes(_ stamp: UInt64) -> [UInt8] {
        var bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: stamp), count: 4096)
        for index in 0..<8 {
            bytes[index] = UInt8(truncatingIfNeeded: stamp >> UInt64(8 * index))
            bytes[4088 + index] = bytes[index]
        }
        return bytes
    }

    static func stamp(of bytes: [UInt8], block: Int) -> UInt64? {
        var stamps: (UInt64, UInt64) = (0, 0)
        for index in (0..<8).reversed() {
            stamps.0 = stamps.0 << 8 | UInt64(bytes[block * 4096 + index])
            stamps.1 = stamps.1 << 8 | UInt64(bytes[block * 4096 + 4088 + index])
        }
        return stamps.0 == stamps.1 ? stamps.0 : nil
    }

    func grow(to blockCount: UInt64) {
        self.blockCount = blockCount
        map.grow(toByteCount: blockCount * 4096)
    }

    // MARK: Commits

    /// Stores a pack of these writes and zeroed ranges; the model has them at once.
    func pack(_ writes: Set<UInt64>, zeroed: [BlockRange] = []) throws -> StoredPack {
        for run in zeroed {
            if run.count < UInt64(model.count) {
                for block in run.start.rawValue..<run.end.rawValue { model[block] = nil }
            } else {
                model = model.filter { !run.contains(BlockIndex($0.key)) }
            }
        }
        var frames: [PackPlan.Frame] = []
        var data: [UInt8] = []
        var scattered: [UInt64] = []
        var run: [UInt64] = []
        func close(_ blocks: inout [UInt64]) {
            guard !blocks.isEmpty else { return }
            var frame = PackPlan.Frame(blocks: [], checksums: [])
            for block in blocks {
                model[block] = nextStamp
                let bytes = Self.bytes(nextStamp)
                nextStamp += 1
                frame.blocks.append(BlockIndex(block))
                frame.checksums.append(CRC32C.checksum(bytes))
                data += bytes
            }
            frames.append(frame)
            blocks = []
        }
        for block in writes.sorted() {
            if let last = run.last, last + 1 != block || run.count == 16 {
                if run.count == 1 { scattered += run; run = [] } else { close(&run) }
                if scattered.count == 4 { close(&scattered) }
            }
            run.append(block)
        }
        if run.count == 1, scattered.count < 4 { scattered += run } else { close(&run) }
        close(&scattered)
        let plan = PackPlan(
            volume: volume, name: newName(), firstSequence: JournalSequence(1), lastSequence: JournalSequence(2),
            compressionLevel: 1, frames: frames, zeroRuns: zeroed)
        let built = try unsafe data.withUnsafeBytes { try unsafe builder.build(plan: plan, blocks: $0) }
        bucket[BucketLayout.dataPack(volume, plan.name)] = built.bytes
        return StoredPack(reference: built.reference, directory: built.directory)
    }

    func randomBlock() -> UInt64 {
        // Two crowded regions and the rest, so that leaves fill, overlap and empty.
        switch random.below(5) {
        case 0: UInt64(random.below(Int(blockCount)))
        case 1, 2: min(blockCount - 1, UInt64(random.below(300)))
        default: blockCount - 1 - min(blockCount - 1, UInt64(random.below(1500)))
        }
    }

    func randomRange(longest: UInt64) -> BlockRange {
        let start = randomBlock()
        return BlockRange(start: BlockIndex(start), count: min(blockCount - start, 1 + random.next() % longest))
    }

    /// A pack of random writes and trims.
    func randomPack() throws -> StoredPack {
        var writes: Set<UInt64> = []
        for _ in 0..<random.below(6) + 1 {
            let range = randomRange(longest: random.oneIn(4) ? 40 : 3)
            for block in range.start.rawValue..<range.end.rawValue { writes.insert(block) }
        }
        var zeroed = RangeSet()
        for _ in 0..<random.below(3) {
            let longest: UInt64 = random.oneIn(6) ? blockCount : random.oneIn(2) ? 3000 : 30
            zeroed.insert(randomRange(longest: longest))
        }
        for block in writes { zeroed.remove(BlockRange(start: BlockIndex(block), count: 1)) }
        return try pack(writes, zeroed: zeroed.ranges)
    }

    // MARK: Reading

    func read(_ key: ObjectKey, _ byteOffset: UInt64, _ byteCount: Int) throws -> [UInt8] {
        let object = try #require(bucket[key], "\(key) is not in the bucket")
        return Array(object[Int(byteOffset)..<Int(byteOffset) + byteCount])
    }

    func node(_ pointer: NodePointer) throws -> [UInt8] {
        nodesFetched += 1
        return try read(
            BucketLayout.mapPack(pointer.owner, pointer.pack), UInt64(pointer.byteOffset), Int(pointer.byteCount))
    }

    func resolve(_ range: BlockRange) throws -> [CommittedExtent] {
        for _ in 0..<100 {
            var extents: [CommittedExtent] = []
            let missing = try map.resolve(range, into: &extents)
            if missing.isEmpty { return extents }
            #expect(Set(missing).count == missing.count)
            for pointer in missing { try map.supply(node: try node(pointer), at: pointer) }
        }
        Issue.record("a look-up of \(range) never ends")
        return []
    }

    /// What the extents say must be what the dictionary says; the bytes come from the frames.
    func check(_ range: BlockRange) throws {
        let extents = try resolve(range)
        var block = range.start
        for extent in extents {
            #expect(extent.blocks.start == block && !extent.blocks.isEmpty)
            switch extent.source {
            case .zero:
                for zero in extent.blocks.start.rawValue..<extent.blocks.end.rawValue where model[zero] != nil {
                    Issue.record("block \(zero) reads as zeros")
                }
            case .frame(let frame, let first):
                let contents = try FrameFormat.decode(
                    try read(frame.key, UInt64(frame.byteOffset), Int(frame.byteCount)),
                    expecting: PackIdentity(volume: frame.owner, name: frame.pack), codec: codec)
                for step in 0..<Int(extent.blocks.count) {
                    let wanted = extent.blocks.start.advanced(by: UInt64(step))
                    let stamp = Self.stamp(of: Array(contents.bytes), block: first + step)
                    if contents.blocks[first + step] != wanted || stamp == nil || stamp != model[wanted.rawValue] {
                        Issue.record("block \(wanted.rawValue) reads as write \(stamp ?? 0)")
                    }
                }
            }
            block = extent.blocks.end
        }
        #expect(block == range.end)
    }

    // MARK: Folding

    /// - Parameters:
    ///   - packs: of a commit before it.
    ///   - loses: now and then a map pack's fate is unknown and it is stored again under another name.
    ///   - meanwhile: called before each step: commits go on beside a fold.
    func fold(adding packs: [StoredPack] = [], loses: Bool = false, meanwhile: () throws -> Void = {}) throws {
        if !packs.isEmpty { try map.apply(packs) }
        let number = foldNumber + 1
        let fold = try Fold(
            of: map, volume: volume, foldNumber: number, mapPackByteCount: mapPackByteCount,
            nextPackName: newName)
        var step = try fold.next()
        while true {
            try meanwhile()
            switch step {
            case .fetch(let pointers):
                for pointer in pointers { try fold.supply(node: try node(pointer), at: pointer) }
                step = try fold.next()
            case .pause: step = try fold.next()
            case .put(let name, let key, let bytes):
                #expect(key == BucketLayout.mapPack(volume, name) && bucket[key] == nil)
                if loses, random.oneIn(3) {
                    if random.oneIn(2) { bucket[key] = bytes }  // It was stored after all; nobody will name it.
                    step = try fold.reissue()
                    continue
                }
                bucket[key] = bytes
                fold.stored()
                step = try fold.next()
            case .done(let root, let statistics):
                foldNumber = number
                lastFold = statistics
                map.install(root, foldNumber: number)
                return
            }
        }
    }

    /// The same image read by a map that starts with nothing but the root.
    func reopen(shuffled: Bool = true) throws {
        map = CommittedMap(
            root: map.root, volumeByteCount: blockCount * 4096, foldNumber: foldNumber, lineage: map.lineage,
            nodeCacheByteCount: nodeCacheByteCount)
        var missing = map.missingDirectories
        if shuffled { missing.shuffle(using: &random) }
        for reference in missing {
            let bytes = try read(
                BucketLayout.dataPack(reference.owner, reference.name), reference.directoryOffset,
                Int(reference.directoryByteCount))
            let directory = try PackFormat.decodeDirectory(bytes, expecting: reference.owner, reference.name)
            try map.supply(directory: directory, of: reference)
        }
        #expect(map.missingDirectories.isEmpty)
    }

    /// The offline reader must agree with the dictionary, block for block.
    func checkExport(cacheByteCount: Int = 1 << 20) throws {
        let reader = ImageReader(
            root: map.root, volumeByteCount: blockCount * 4096, cacheByteCount: cacheByteCount, read: read)
        var next = BlockIndex(0)
        var seen = 0
        var wasZero = false
        try reader.forEachExtent { blocks, content in
            #expect(blocks.start == next && !blocks.isEmpty)
            next = blocks.end
            switch content {
            case .zero:
                #expect(!wasZero)
                wasZero = true
            case .bytes(let bytes):
                wasZero = false
                #expect(bytes.count == Int(blocks.count) * 4096)
                for step in 0..<Int(blocks.count) {
                    let block = blocks.start.rawValue + UInt64(step)
                    let stamp = Self.stamp(of: bytes, block: step)
                    if stamp == nil || stamp != model[block] {
                        Issue.record("block \(block) is exported as write \(stamp ?? 0)")
                    }
                    seen += 1
                }
            }
        }
        #expect(next == BlockIndex(blockCount))
        #expect(seen == model.count)
    }
}
