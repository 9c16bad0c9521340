// SPDX-License-Identifier: Apache-2.0
import Engine
import Platform
import Testing
import Wire

struct ReadCacheTests {
    private let frame = CacheHarness.frame(1)
    private let broken = SystemError(errorNumber: 5, call: "read")

    @Test func aFrameIsFetchedOnceAndThenKept() {
        let harness = CacheHarness()
        #expect(harness.read(frame) == .bucket)
        // From the buffer, before it was written.
        #expect(harness.read(frame) == .cache)
        #expect(harness.readCount == 0)
        harness.flush()
        #expect(harness.read(frame) == .cache)
        #expect(harness.readCount == 1 && harness.fetchCount == 1)
        #expect(harness.cache.statistics.hitCount == 2 && harness.cache.statistics.missCount == 1)
    }

    @Test func volumesThatWantTheSameFrameShareOneRequest() {
        let harness = CacheHarness()
        harness.holdsBucket = true
        let first = harness.ask(frame, .background)
        let second = harness.ask(frame, by: VolumeID(rawValue: 2))
        let third = harness.ask(frame, by: VolumeID(rawValue: 3))
        #expect(harness.fetchCount == 1 && harness.hastened == [frame])
        harness.cache.forget(VolumeID(rawValue: 3))
        harness.releaseBucket { .success(CacheHarness.contents(of: $0).encoded()) }
        #expect(harness.answers[first] != nil && harness.answers[second] != nil && harness.answers[third] == nil)
    }

    @Test func readersOfTheDiskShareOneReadToo() {
        let harness = CacheHarness()
        _ = harness.read(frame)
        harness.flush()
        harness.holdsReads = true
        let waiters = [harness.ask(frame), harness.ask(frame)]
        harness.releaseReads()
        #expect(harness.readCount == 1 && waiters.allSatisfy { harness.answers[$0]?.source == .cache })
    }

    @Test func whatTheBucketRefusesOrDamagesIsNotKept() {
        let harness = CacheHarness()
        harness.holdsBucket = true
        let refused = harness.ask(frame)
        harness.releaseBucket { _ in .failure(.unavailable("away")) }
        #expect(throws: BucketFailure.unavailable("away")) { try harness.answers[refused]?.result.get() }
        harness.holdsBucket = true
        let damaged = harness.ask(frame)
        harness.releaseBucket { frame in
            var bytes = CacheHarness.contents(of: frame).encoded()
            bytes[5000] ^= 1
            return .success(bytes)
        }
        #expect(throws: BucketFailure.self) { try harness.answers[damaged]?.result.get() }
        #expect(harness.cache.statistics.frameCount == 0)
        #expect(harness.read(frame) == .bucket)
    }

    /// Of the record: its header, the contents' header and checksums, the first and the last block.
    @Test(arguments: [0, 6, 20, 30, 45, 60, 64, 100, 230, 1000, 65_000])
    func everyDamagedByteIsNoticedAndFetchedAgain(byteOffset: Int) {
        let harness = CacheHarness()
        _ = harness.read(frame)
        harness.flush()
        let file = CacheFile(directory: CacheHarness.directory, number: 0)
        harness.files[file]?[64 + byteOffset] ^= 0x10
        #expect(harness.read(frame) == .bucket)
        #expect(harness.cache.statistics.damagedCount == 1)
        #expect(harness.read(frame) == .cache)
    }

    @Test func aFailedReadBecomesARequestToTheBucket() {
        let harness = CacheHarness()
        _ = harness.read(frame)
        harness.flush()
        harness.readError = broken
        #expect(harness.read(frame) == .bucket)
        harness.readError = nil
        #expect(harness.cache.statistics.failedReadCount == 1)
        // The region is not believed any more, and the frame is kept anew elsewhere.
        #expect(harness.read(frame) == .cache)
    }

    @Test func aReadThatTakesTooLongBecomesARequestToTheBucket() {
        let harness = CacheHarness()
        _ = harness.read(frame)
        harness.flush()
        harness.holdsReads = true
        let waiter = harness.ask(frame)
        #expect(harness.answers[waiter] == nil)
        harness.pass(harness.limits.readNanoseconds + 1)
        #expect(harness.answers[waiter]?.source == .bucket)
        harness.releaseReads()
        #expect(harness.cache.statistics.lateReadCount == 1)
        #expect(harness.read(frame) == .cache)
    }

    @Test func aDirectoryThatFailsAgainAndAgainIsTurnedOff() {
        let harness = CacheHarness()
        harness.writeError = broken
        for number in 0..<200 { #expect(harness.read(CacheHarness.frame(number)) != nil) }
        let off = harness.reports.filter { if case .directoryOff = $0 { true } else { false } }
        #expect(off.count == 1)
        #expect(harness.cache.status(of: CacheHarness.directory) == nil)
        let writes = harness.cache.statistics.failedWriteCount
        for number in 0..<50 { #expect(harness.read(CacheHarness.frame(number)) == .bucket) }
        #expect(harness.cache.statistics.failedWriteCount == writes)
    }

    @Test func aFullDiskMakesTheCacheSmallerAndNothingElse() {
        let harness = CacheHarness(regionLimits: [30])
        for number in 0..<60 { _ = harness.read(CacheHarness.frame(number)) }
        harness.flush()
        harness.writeError = SystemError(errorNumber: 28, call: "fallocate")
        for number in 100..<140 { #expect(harness.read(CacheHarness.frame(number)) == .bucket) }
        #expect(harness.reports.filter { $0 == .outOfSpace(CacheHarness.directory) }.count == 1)
        #expect(harness.cache.status(of: CacheHarness.directory) != nil)
        #expect(harness.read(CacheHarness.frame(59)) == .cache && harness.read(CacheHarness.frame(139)) == .cache)
    }

    @Test(arguments: [true, false])
    func survivesARestart(cleanly: Bool) {
        let harness = CacheHarness()
        for number in 0..<20 { _ = harness.read(CacheHarness.frame(number)) }
        harness.flush()
        harness.restart(cleanly: cleanly)
        for number in 0..<20 { #expect(harness.read(CacheHarness.frame(number)) == .cache, "frame \(number)") }
        #expect(harness.fetchCount == 20)
    }

    @Test func theOrderOfAgeSurvivesARestart() {
        let harness = CacheHarness()
        for number in 0..<20 { _ = harness.read(CacheHarness.frame(number)) }
        harness.restart(cleanly: true)
        for number in 100..<120 { _ = harness.read(CacheHarness.frame(number)) }
        #expect(harness.read(CacheHarness.frame(0)) == .bucket)
        #expect(harness.read(CacheHarness.frame(119)) == .cache)
    }

    @Test func damagedAndForeignFilesAreThrownAwayAndToldOnce() {
        let harness = CacheHarness()
        for number in 0..<20 { _ = harness.read(CacheHarness.frame(number)) }
        harness.flush()
        for number in [UInt32(0), 1, 2] {
            harness.files[CacheFile(directory: CacheHarness.directory, number: number)]?[5] ^= 0xff
        }
        harness.restart(cleanly: false)
        let told = harness.reports.filter { if case .damagedRegion = $0 { true } else { false } }
        #expect(told.count == 1)
        for number in 0..<20 { #expect(harness.read(CacheHarness.frame(number)) != nil) }
    }

    @Test func aCacheThatIsGoneLosesNothing() {
        let harness = CacheHarness()
        for number in 0..<20 { _ = harness.read(CacheHarness.frame(number)) }
        harness.files = [:]
        for number in 0..<20 { #expect(harness.read(CacheHarness.frame(number)) != nil) }
        harness.restart(cleanly: false)
        for number in 0..<20 { #expect(harness.read(CacheHarness.frame(number)) != nil) }
    }

    @Test func directoriesComeAndGoWhileInUse() {
        let harness = CacheHarness(regionLimits: [8])
        for number in 0..<10 { _ = harness.read(CacheHarness.frame(number)) }
        harness.cache.add(CacheDirectoryID(2), regionLimit: 8, at: harness.now)
        harness.run()
        for number in 10..<40 { _ = harness.read(CacheHarness.frame(number)) }
        harness.flush()
        #expect(harness.files.keys.contains { $0.directory == CacheDirectoryID(2) })
        harness.cache.remove(CacheHarness.directory, isDiscarded: true)
        harness.run()
        #expect(harness.files.keys.allSatisfy { $0.directory == CacheDirectoryID(2) })
        for number in 0..<40 { #expect(harness.read(CacheHarness.frame(number)) != nil) }
        #expect(harness.cache.statistics.byteCount == UInt64(8 * harness.limits.regionByteCount))
    }

    @Test func aSmallerDirectoryGivesUpItsOldestRegions() {
        let harness = CacheHarness(regionLimits: [20])
        for number in 0..<40 { _ = harness.read(CacheHarness.frame(number)) }
        harness.flush()
        #expect(harness.read(CacheHarness.frame(0)) == .cache)
        harness.cache.resize(CacheHarness.directory, regionLimit: 8)
        harness.run()
        #expect(harness.files.count <= 8)
        #expect(harness.read(CacheHarness.frame(39)) == .cache)
        #expect(harness.read(CacheHarness.frame(0)) == .bucket)
        harness.cache.resize(CacheHarness.directory, regionLimit: 30)
        harness.run()
        for number in 0..<60 { _ = harness.read(CacheHarness.frame(number)) }
        #expect((0..<60).filter { harness.read(CacheHarness.frame($0)) == .cache }.count == 60)
    }

    @Test func warmingEndsBeforeAnythingHasToGo() {
        let harness = CacheHarness()
        _ = harness.read(frame)
        #expect(harness.warm(frame) == .success(.present))
        var stored = 0
        var number = 100
        while harness.warm(CacheHarness.frame(number)) == .success(.stored(byteCount: 65_536)) {
            stored += 1
            number += 1
        }
        #expect(stored > 12 && stored < 36)
        let fetches = harness.fetchCount
        #expect(harness.warm(CacheHarness.frame(1000)) == .success(.noRoom))
        #expect(harness.fetchCount == fetches && harness.cache.statistics.recycledCount == 0)
        #expect(harness.read(frame) == .cache && harness.read(CacheHarness.frame(100)) == .cache)
    }

    @Test func slowWritesNeverHoldUpReaders() {
        var limits = CacheHarness.limits()
        limits.chunksInFlight = 0
        let harness = CacheHarness(limits: limits)
        for number in 0..<20 { #expect(harness.read(CacheHarness.frame(number)) == .bucket) }
        #expect(harness.cache.statistics.refusedCount == 20)
        #expect(harness.warm(frame) == .success(.busy))
    }

    @Test func warmingTellsWhyItCannotGoOn() {
        let harness = CacheHarness(regionLimits: [])
        #expect(harness.warm(frame) == .success(.notInUse))
        harness.cache.add(CacheHarness.directory, regionLimit: 12, at: harness.now)
        #expect(harness.cache.status(of: CacheHarness.directory)?.isOpening == true)
        let waiter = CacheWaiter(volume: CacheHarness.volume, token: EffectToken(rawValue: 1))
        harness.cache.warm(frame, for: waiter, at: harness.now)
        harness.run()
        #expect(harness.warmed[waiter] == .success(.busy))
        #expect(harness.warm(frame) == .success(.stored(byteCount: 65_536)))
    }

    @Test func aDirectoryThatHangsWhileItIsOpenedIsTurnedOff() {
        let harness = CacheHarness(regionLimits: [8])
        let slow = CacheDirectoryID(2)
        harness.hanging = [slow]
        harness.cache.add(slow, regionLimit: 8, at: harness.now)
        for number in 0..<40 { _ = harness.read(CacheHarness.frame(number)) }
        #expect(harness.cache.statistics.recycledCount == 0)
        // As long as files are found in it, it is at work.
        harness.pass(harness.limits.openNanoseconds - 1)
        harness.cache.handle(.found(CacheFile(directory: slow, number: 0), .empty), at: harness.now)
        harness.pass(harness.limits.openNanoseconds - 1)
        #expect(harness.cache.status(of: slow)?.isOpening == true)
        harness.pass(1)
        #expect(harness.cache.status(of: slow) == nil && harness.cache.nextDeadline == nil)
        #expect(harness.reports.last == .directoryOff(slow, reason: "no answer from it within 60 s"))
        for number in 40..<80 { _ = harness.read(CacheHarness.frame(number)) }
        #expect(harness.cache.statistics.recycledCount > 0)
        // What comes too late.
        harness.cache.handle(.found(CacheFile(directory: slow, number: 1), .empty), at: harness.now)
        harness.cache.handle(.opened(slow, .success(())), at: harness.now)
        #expect(harness.cache.status(of: slow) == nil)
    }
}
