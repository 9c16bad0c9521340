// SPDX-License-Identifier: Apache-2.0
import Engine
import Platform
import TestSupport
import Wire

/// A read cache with a disk and a bucket in memory and a clock that only tests move. Everything it wants done is done
/// by `run`, unless a test holds it back.
final class CacheHarness {
    static let volume = VolumeID(rawValue: 0x51)
    static let directory = CacheDirectoryID(1)

    let limits: CacheLimits
    private(set) var cache: ReadCache
    var files: [CacheFile: [UInt8]] = [:]
    var now: UInt64 = 1
    private(set) var answers: [CacheWaiter: (result: Result<FrameContents, BucketFailure>, source: FrameSource)] = [:]
    private(set) var nodeAnswers: [CacheWaiter: (result: Result<[UInt8], BucketFailure>, source: FrameSource)] = [:]
    private(set) var warmed: [CacheWaiter: Result<WarmedFrame, BucketFailure>] = [:]
    private(set) var fetchCount = 0
    private(set) var readCount = 0
    private(set) var hastened: [FrameReference] = []
    private(set) var reports: [CacheReport] = []
    /// What waits for `releaseBucket`.
    private(set) var heldFetches: [(frame: FrameReference, urgency: FetchUrgency)] = []
    private var heldReads: [(CacheToken, CacheFile, Int, Int)] = []
    var holdsBucket = false
    var holdsReads = false
    /// Of these directories nothing is heard.
    var hanging: Set<CacheDirectoryID> = []
    var readError: SystemError?
    var writeError: SystemError?
    private var lastToken: UInt64 = 0

    /// - Parameter regionLimits: of directories 1, 2, …
    init(limits: CacheLimits = CacheHarness.limits(), regionLimits: [Int] = [12]) {
        self.limits = limits
        cache = ReadCache(limits: limits)
        open(regionLimits)
    }

    static func limits() -> CacheLimits {
        var limits = CacheLimits()
        limits.regionByteCount = 256 << 10
        limits.chunkByteCount = 32 << 10
        limits.indexByteCount = 1 << 20
        limits.chunksInFlight = 100
        return limits
    }

    private func open(_ regionLimits: [Int]) {
        for (index, limit) in regionLimits.enumerated() {
            cache.add(CacheDirectoryID(UInt32(index + 1)), regionLimit: limit, at: now)
        }
        run()
    }

    /// A new process on the same disk.
    func restart(cleanly: Bool, regionLimits: [Int] = [12]) {
        if cleanly {
            cache.finish()
            run()
        }
        cache = ReadCache(limits: limits)
        (answers, warmed, heldFetches, heldReads) = ([:], [:], [], [])
        open(regionLimits)
    }

    // MARK: Frames

    /// Frame `number` of a bucket in which all frames have this many blocks.
    static func frame(_ number: Int, blockCount: Int = 16) -> FrameReference {
        FrameReference(
            owner: volume, pack: PackName(generation: 1, start: 1, number: UInt32(number >> 8)),
            byteOffset: UInt32(number & 0xff) * 65_536, byteCount: UInt32(blockCount) * 64)
    }

    /// Node `number` of a map pack in which all nodes have this length.
    static func node(_ number: Int, byteCount: Int = 200) -> NodePointer {
        var node = NodePointer(
            owner: volume, pack: PackName(generation: 1, start: 2, number: 1), byteOffset: UInt32(number * byteCount),
            byteCount: UInt32(byteCount), checksum: 0)
        node.checksum = CRC32C.checksum(bytes(of: node))
        return node
    }

    static func bytes(of node: NodePointer) -> [UInt8] {
        [UInt8](repeating: UInt8(truncatingIfNeeded: node.byteOffset / node.byteCount), count: Int(node.byteCount))
    }

    static func contents(of frame: FrameReference) -> FrameContents {
        let number = UInt64(frame.pack.number) << 8 | UInt64(frame.byteOffset / 65_536)
        let count = Int(frame.byteCount / 64)
        let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: number &* 7), count: count * 4096)
        let checksum = unsafe bytes.withUnsafeBytes {
            unsafe CRC32C.checksum(UnsafeRawBufferPointer(rebasing: $0[0..<4096]))
        }
        return FrameContents(
            blocks: (0..<UInt64(count)).map { BlockIndex(number * 16 + $0) },
            checksums: [UInt32](repeating: checksum, count: count), bytes: bytes[...])
    }

    // MARK: Asking

    func ask(_ frame: FrameReference, _ urgency: FetchUrgency = .demand, by volume: VolumeID = volume) -> CacheWaiter {
        lastToken += 1
        let waiter = CacheWaiter(volume: volume, token: EffectToken(rawValue: lastToken))
        cache.get(frame, urgency, for: waiter, at: now)
        run()
        return waiter
    }

    func warm(_ frame: FrameReference) -> Result<WarmedFrame, BucketFailure>? {
        lastToken += 1
        let waiter = CacheWaiter(volume: Self.volume, token: EffectToken(rawValue: lastToken))
        cache.warm(frame, for: waiter, at: now)
        run()
        return warmed.removeValue(forKey: waiter)
    }

    /// Reads a frame and forgets the answer.
    /// - Returns: where it came from, if it came and was right.
    func read(_ frame: FrameReference) -> FrameSource? {
        let waiter = ask(frame)
        guard let (result, source) = answers.removeValue(forKey: waiter), let contents = try? result.get(),
            contents.encoded() == Self.contents(of: frame).encoded()  // Arrays are compared much faster than slices.
        else { return nil }
        return source
    }

    func ask(_ node: NodePointer, _ urgency: FetchUrgency = .demand) -> CacheWaiter {
        lastToken += 1
        let waiter = CacheWaiter(volume: Self.volume, token: EffectToken(rawValue: lastToken))
        cache.get(node, urgency, for: waiter, at: now)
        run()
        return waiter
    }

    /// - Returns: where it came from, if it came and was right.
    func read(_ node: NodePointer) -> FrameSource? {
        guard let (result, source) = nodeAnswers.removeValue(forKey: ask(node)),
            (try? result.get()) == Self.bytes(of: node)
        else { return nil }
        return source
    }

    func pass(_ nanoseconds: UInt64) {
        now += nanoseconds
        if let due = cache.nextDeadline, due <= now { cache.advance(to: now) }
        run()
    }

    // MARK: Doing

    func run() {
        var effects: [CacheEffect] = []
        while true {
            cache.takeEffects(&effects)
            if effects.isEmpty { return }
            for effect in effects { perform(effect) }
            effects.removeAll()
        }
    }

    private func perform(_ effect: CacheEffect) {
        switch effect {
        case .answer(let waiter, let result, let source): answers[waiter] = (result, source)
        case .warmed(let waiter, let result): warmed[waiter] = result
        case .answerNode(let waiter, let result, let source): nodeAnswers[waiter] = (result, source)
        case .fetchNode(let node, let urgency):
            fetchCount += 1
            if holdsBucket { return heldFetches.append((node.cacheKey, urgency)) }
            cache.handle(.fetched(node.cacheKey, .success(Self.bytes(of: node))), at: now)
        case .fetch(let frame, let urgency):
            fetchCount += 1
            if holdsBucket { return heldFetches.append((frame, urgency)) }
            cache.handle(.fetched(frame, .success(Self.contents(of: frame).encoded())), at: now)
        case .hasten(let frame): hastened.append(frame)
        case .open(let directory):
            if hanging.contains(directory) { return }
            for file in files.keys.filter({ $0.directory == directory }).sorted(by: { $0.number < $1.number }) {
                let scan = CacheRegionScan.scan(regionByteCount: limits.regionByteCount) { start, count in
                    files[file].flatMap { start + count <= $0.count ? Array($0[start..<start + count]) : nil }
                }
                cache.handle(.found(file, scan), at: now)
            }
            cache.handle(.opened(directory, .success(())), at: now)
        case .write(let token, let file, let byteOffset, let buffer, let byteCount):
            let isMade = files[file] != nil
            if let writeError, !(writeError.isOutOfSpace && isMade) {
                return cache.handle(.written(token, .failure(writeError)), at: now)
            }
            files[file, default: [UInt8](repeating: 0, count: limits.regionByteCount)]
                .replaceSubrange(byteOffset..<byteOffset + byteCount, with: buffer.array(0..<byteCount))
            cache.handle(.written(token, .success(())), at: now)
        case .read(let token, let file, let byteOffset, let byteCount):
            readCount += 1
            if holdsReads { return heldReads.append((token, file, byteOffset, byteCount)) }
            answerRead(token, file, byteOffset, byteCount)
        case .discard(let file): files[file] = nil
        case .report(let report): reports.append(report)
        }
    }

    private func answerRead(_ token: CacheToken, _ file: CacheFile, _ byteOffset: Int, _ byteCount: Int) {
        if let readError { return cache.handle(.read(token, .failure(readError)), at: now) }
        guard let contents = files[file] else {
            let missing = SystemError(errorNumber: 2, call: "open")
            return cache.handle(.read(token, .failure(missing)), at: now)
        }
        cache.handle(.read(token, .success(Array(contents[byteOffset..<byteOffset + byteCount]))), at: now)
    }

    func releaseReads() {
        holdsReads = false
        let held = heldReads
        heldReads = []
        for (token, file, byteOffset, byteCount) in held { answerRead(token, file, byteOffset, byteCount) }
        run()
    }

    func releaseBucket(_ result: (FrameReference) -> Result<[UInt8], BucketFailure>) {
        holdsBucket = false
        let held = heldFetches
        heldFetches = []
        for (frame, _) in held { cache.handle(.fetched(frame, result(frame)), at: now) }
        run()
    }

    /// Everything that is collected goes to the disk.
    func flush() { pass(limits.flushNanoseconds + 1) }
}
