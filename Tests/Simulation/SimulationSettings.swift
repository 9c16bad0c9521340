// SPDX-License-Identifier: Apache-2.0
package import Engine
import TestSupport
import Wire

/// What one seed makes of a run: sizes, speeds and how much goes wrong. All tiny, so that rare paths are common.
package struct SimulationSettings {
    /// Each is "once in so many"; 0 never.
    package struct DiskFaults {
        package var write = 0
        package var sync = 0
        package var read = 0
        package var full = 0
        package var rot = 0
    }

    /// Each is "once in so many"; 0 never.
    package struct CacheFaults {
        package var write = 0
        package var read = 0
        package var late = 0
        package var rot = 0
        package var full = 0
    }

    package var limits = EngineLimits()
    package var packReservationCount = 1
    package var leafCount = 8
    /// Where most commands go.
    package var hotBlockCount = 256
    package var frontendCount = 2
    package var depth = 4
    package var largestCommandBlockCount = 16
    package var durability = "onFlush"
    package var compressionLevel = 1
    package var commitIntervalSeconds = 1
    package var thinkNanoseconds = 4_000_000
    package var diskNanoseconds = 200_000
    package var diskFaults = DiskFaults()
    /// The disk may be smaller than the upload buffer, for good.
    package var diskSegmentCount: Int?
    package var cacheLimits = CacheLimits()
    /// Regions of each cache directory; none: no cache.
    package var cacheRegionCounts: [Int] = []
    package var cacheFaults = CacheFaults()
    package var storeRates = StoreFaults.Rates()
    package var storeSlowestNanoseconds: UInt64 = 8_000_000
    /// The volume is owned by lease.
    package var leaseMilliseconds: UInt64?
    package var tagStyle = SimulatedStore.TagStyle.numbered
    /// Commands between two things that happen to the gateway, on average.
    package var chaosInterval = 60

    package init(seed: UInt64) {
        var random = SeededRandom(seed: seed ^ 0x5e77_1265_0000_0001)
        chooseLimits(&random)
        leafCount = [1, 2, 8, 8, 16, 300][random.below(6)]
        hotBlockCount = min(leafCount * Geometry.blocksPerLeaf, [16, 64, 256, 1024][random.below(4)])
        frontendCount = 1 + random.below(3)
        depth = 1 + random.below(8)
        durability = random.oneIn(6) ? "always" : "onFlush"
        compressionLevel = random.oneIn(3) ? 0 : 1
        commitIntervalSeconds = 1 + random.below(2)
        thinkNanoseconds = [300_000, 2_000_000, 6_000_000, 20_000_000][random.below(4)]
        diskNanoseconds = [20_000, 200_000, 1_000_000][random.below(3)]
        storeSlowestNanoseconds = [4_000_000, 20_000_000, 100_000_000][random.below(3)]
        tagStyle = random.oneIn(2) ? .numbered : .hashed
        chaosInterval = [25, 60, 150, 400][random.below(4)]
        chooseFaults(&random)
        if random.oneIn(4) {
            leaseMilliseconds = storeSlowestNanoseconds / 1_000_000 * UInt64([8, 30][random.below(2)])
        }
        chooseCache(&random)
        if random.oneIn(8) { diskSegmentCount = 4 + random.below(3) }
    }

    private mutating func chooseLimits(_ random: inout SeededRandom) {
        limits.segmentByteCount = [64, 128, 256][random.below(3)] << 10
        largestCommandBlockCount = min(limits.segmentByteCount / (8 * Geometry.blockByteCount), 4 << random.below(3))
        limits.commandByteCount = largestCommandBlockCount * Geometry.blockByteCount
        limits.recordByteCount = max(limits.commandByteCount, [8, 16, 32][random.below(3)] << 10)
        limits.recordByteCount = min(limits.recordByteCount, limits.segmentByteCount / 4)
        limits.bufferByteCount = UInt64(limits.segmentByteCount * [4, 6, 12, 40][random.below(4)])
        limits.packBlockCount = [4, 8, 16, 64][random.below(4)]
        limits.packZeroRunCount = limits.packBlockCount
        limits.packsInFlight = 1 + random.below(4)
        limits.recoveredCleanByteCount = [1, 1 << 30][random.below(2)]
        packReservationCount = 1 + random.below(4)
        limits.smallestIndexByteCount = [2, 1024][random.below(2)] << 10
        limits.scatteredFrameBlockCount = [1, 2, 4][random.below(3)]
        limits.contiguousFrameBlockCount = [2, 4, 16][random.below(3)]
        limits.commitBlockCount = [16, 64, 256][random.below(3)]
        limits.foldPackCount = [3, 8, 24][random.below(3)]
        limits.foldCommitCount = [2, 4, 8][random.below(3)]
        limits.foldBlockCount = [100, 1 << 20][random.below(2)]
        limits.foldIntervalNanoseconds = [100_000_000, 900_000_000_000][random.below(2)]
        limits.stopFoldNanoseconds = [0, 20_000_000, 1_000_000_000][random.below(3)]
        limits.frameCacheByteCount = [0, 64, 1024][random.below(3)] << 10
        limits.nodeCacheByteCount = [0, 32, 1024][random.below(3)] << 10
        limits.mapPackByteCount = [8, 64][random.below(2)] << 10
        limits.openTimeoutNanoseconds = 40_000_000
        limits.holdNanoseconds = [20_000_000, 200_000_000][random.below(2)]
        limits.retryNanoseconds = 2_000_000
        limits.retryMaximumNanoseconds = 50_000_000
    }

    private mutating func chooseFaults(_ random: inout SeededRandom) {
        // A third of all seeds have a kind bucket, a third a kind disk: faults in one must not hide those in the other.
        if !random.oneIn(3) {
            let scale = [8, 30, 100][random.below(3)]
            func rate() -> Int { random.oneIn(2) ? 0 : scale + random.below(scale * 4) }
            storeRates.unavailable = rate()
            storeRates.conflict = rate()
            storeRates.lostReply = rate()
            storeRates.lostRequest = rate()
            storeRates.late = rate()
            storeRates.insideRetry = rate()
            storeRates.shortBody = rate()
            storeRates.flippedBody = rate()
            storeRates.uploaderLost = rate()
            storeRates.throttleBurst = rate() * 2
        }
        if random.oneIn(3) {
            let scale = [200, 1000][random.below(2)]
            func rate() -> Int { random.oneIn(2) ? 0 : scale + random.below(scale * 4) }
            diskFaults.write = rate() * 4
            diskFaults.sync = rate()
            diskFaults.read = rate()
            diskFaults.full = random.oneIn(2) ? 0 : 4 + random.below(20)
            diskFaults.rot = rate()
        }
    }

    private mutating func chooseCache(_ random: inout SeededRandom) {
        cacheLimits.regionByteCount = [128, 160, 256][random.below(3)] << 10
        cacheLimits.chunkByteCount = [8, 32, 128][random.below(3)] << 10
        cacheLimits.chunksInFlight = 2 + random.below(8)
        cacheLimits.indexByteCount = ReadCache.indexByteCountPerFrame * [24, 100, 4000][random.below(3)]
        cacheLimits.probationPercent = [10, 30][random.below(2)]
        cacheLimits.readNanoseconds = 8_000_000
        cacheLimits.flushNanoseconds = 3_000_000
        cacheLimits.errorLimit = 2 + random.below(4)
        cacheLimits.keptInARow = 1 + random.below(4)
        if !random.oneIn(8) {
            cacheRegionCounts = (0..<1 + random.below(2)).map { _ in [4, 7, 12, 40][random.below(4)] }
        }
        limits.prefetchFirstBlockCount = 4
        limits.prefetchBlockCount = [8, 64][random.below(2)]
        limits.prefetchFrameCount = 1 + random.below(8)
        limits.warmFrameCount = 1 + random.below(4)
        limits.growthByteCount = UInt64(Geometry.blocksPerLeaf * Geometry.blockByteCount)
        limits.amendNanoseconds = [20_000_000, 2_000_000_000][random.below(2)]
        limits.provisioningStepCount = [1, 8, 64][random.below(3)]
        guard !random.oneIn(3) else { return }
        let scale = [20, 200][random.below(2)]
        func rate() -> Int { random.oneIn(2) ? 0 : scale + random.below(scale * 4) }
        cacheFaults.write = rate()
        cacheFaults.read = rate()
        cacheFaults.late = rate()
        cacheFaults.rot = rate()
        cacheFaults.full = rate()
    }

    package var volumeByteCount: UInt64 { UInt64(leafCount * Geometry.blocksPerLeaf * Geometry.blockByteCount) }
}
