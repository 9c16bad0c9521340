// SPDX-License-Identifier: Apache-2.0
import CacheManager
import Engine
import Foundation
import Messages
import Platform
import Testing
import Wire

/// The read cache under volumes, with real files.
struct ReadCacheTests {
    private static let byteCount = 64 << 10

    /// A volume whose journal holds nothing any more of what it wrote first: reads go to the bucket.
    private func volume(_ gateway: GatewayHarness, name: String = "db") throws -> VolumeID {
        let volume = try gateway.create(name)
        for step in 0..<40 {
            let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: step + 1), count: 256 << 10)
            try gateway.write(bytes, to: volume.id, sector: UInt64(step * 512))
            if step % 8 == 7 { _ = try gateway.sync(name) }
        }
        // As another gateway takes it over: no journal, no memory.
        return volume.id
    }

    /// A gateway that has the volume only in the bucket.
    private func gateway(frameCacheByteCount: Int = 0) throws -> (GatewayHarness, VolumeID) {
        let first = try GatewayHarness()
        let id = try volume(first)
        let second = try GatewayHarness(bucket: first.bucket, gateway: 2, frameCacheByteCount: frameCacheByteCount)
        _ = try second.attach("db", force: true)
        return (second, id)
    }

    private func read(_ gateway: GatewayHarness, _ id: VolumeID, step: Int) throws {
        let bytes = try gateway.read(id, sector: UInt64(step * 512), count: UInt32(Self.byteCount / 512))
        #expect(bytes == [UInt8](repeating: UInt8(truncatingIfNeeded: step + 1), count: Self.byteCount))
    }

    private func sources(_ gateway: GatewayHarness, _ id: VolumeID) throws -> ReadSources {
        try #require(gateway.shard.volumes[id]?.engine?.statistics.sources)
    }

    @Test func aSecondReadDoesNotGoToTheBucket() throws {
        let (gateway, id) = try gateway()
        for step in [3, 30, 11] { try read(gateway, id, step: step) }
        #expect(try sources(gateway, id).bucketByteCount == UInt64(3 * Self.byteCount))
        gateway.pass(2)
        for step in [3, 30, 11] { try read(gateway, id, step: step) }
        let sources = try sources(gateway, id)
        #expect(sources.bucketByteCount == UInt64(3 * Self.byteCount))
        #expect(sources.cacheByteCount == UInt64(3 * Self.byteCount))
        let statistics = try #require(gateway.shard.volumes[id]?.engine?.statistics)
        #expect(statistics.localReadCount == 3 && statistics.answeredReadCount == 6)
    }

    /// What was read of the bucket under these failures; its status.
    private func status(
        _ gateway: GatewayHarness, _ id: VolumeID, step: Int, after failures: [UploadResult.Outcome]
    ) throws -> IOReply.Status {
        gateway.bucket.frameFailures = failures
        let number = gateway.submit(
            .read, id, sector: UInt64(step * 512), count: UInt32(Self.byteCount / 512),
            deadline: UInt64(Date().timeIntervalSince1970 * 1000) + 600_000)
        gateway.run()
        for _ in 0..<60 {
            gateway.pass(1)
            if let answer = gateway.takeAnswer(number) { return answer.reply.status }
        }
        throw ReadIsNotAnswered()
    }
    private struct ReadIsNotAnswered: Error {}

    @Test func failuresAndDamageInTurnDoNotFailARead() throws {
        let (gateway, id) = try gateway()
        let unavailable = UploadResult.Outcome.unavailable(reason: "503")
        let damage = UploadResult.Outcome.corrupt(reason: "a bit flipped")
        #expect(
            try status(gateway, id, step: 3, after: [unavailable, unavailable, damage, unavailable, damage]) == .good)
        #expect(gateway.bucket.frameFailures.isEmpty)
        try read(gateway, id, step: 3)
    }

    @Test func damageThatStaysIsAMediumError() throws {
        let (gateway, id) = try gateway()
        let damage = [UploadResult.Outcome](repeating: .corrupt(reason: "damaged"), count: 100)
        #expect(try status(gateway, id, step: 3, after: damage) == .mediumError)
        #expect(try status(gateway, id, step: 3, after: []) == .good)
    }

    @Test func aCloneReadsWhatItsSourceHasRead() throws {
        let (gateway, id) = try gateway()
        try gateway.cut("db", first: 7)
        try gateway.settle()
        let clone = try gateway.create("clone", from: SnapshotID(rawValue: 7))
        for step in [3, 30, 11] { try read(gateway, id, step: step) }
        for step in [3, 30, 11] { try read(gateway, clone.id, step: step) }
        let sources = try sources(gateway, clone.id)
        #expect(sources.bucketByteCount == 0 && sources.cacheByteCount == UInt64(3 * Self.byteCount))
    }

    @Test func theCacheSurvivesARestart() throws {
        let (gateway, id) = try gateway()
        for step in [3, 30, 11] { try read(gateway, id, step: step) }
        gateway.pass(2)
        try gateway.restart()
        for step in [3, 30, 11] { try read(gateway, id, step: step) }
        let sources = try sources(gateway, id)
        #expect(sources.bucketByteCount == 0 && sources.cacheByteCount == UInt64(3 * Self.byteCount))
    }

    @Test func filesThatWereDamagedOrRemovedAreFetchedAgain() throws {
        let (gateway, id) = try gateway()
        for step in [3, 30, 11] { try read(gateway, id, step: step) }
        gateway.pass(2)
        let directory = gateway.directory + "/cache"
        for name in try Platform.FileSystem.list(directory) {
            let file = try BlockFile(path: "\(directory)/\(name)", access: .readWrite)
            let garbage = IOBuffer([UInt8](repeating: 0xee, count: 4096))
            try unsafe file.write(UnsafeRawBufferPointer(garbage.bytes), at: 8192)
        }
        for step in [3, 30, 11] { try read(gateway, id, step: step) }
        #expect(gateway.shard.cache.cache.statistics.damagedCount > 0)
        gateway.pass(2)
        try FileManager.default.removeItem(atPath: directory)
        try gateway.restart()
        for step in [3, 30, 11] { try read(gateway, id, step: step) }
        #expect(
            gateway.cacheReports.contains { report in
                if case .directoryOff = report { true } else { false }
            })
    }

    @Test func sequentialReadsAreGivenWhatComesNext() throws {
        let (gateway, id) = try gateway(frameCacheByteCount: 16 << 20)
        for part in 0..<40 {
            _ = try gateway.read(id, sector: UInt64(part * 128), count: 128)
        }
        let statistics = try #require(gateway.shard.volumes[id]?.engine?.statistics)
        #expect(statistics.prefetchedByteCount > 1 << 20)
        #expect(statistics.sources.bucketByteCount < 5 * 64 << 10)
    }

    @Test func randomReadsFetchNothingElse() throws {
        let (gateway, id) = try gateway(frameCacheByteCount: 16 << 20)
        for step in [3, 30, 11, 20, 1, 38, 7] { try read(gateway, id, step: step) }
        #expect(gateway.shard.volumes[id]?.engine?.statistics.prefetchedByteCount == 0)
    }

    @Test func volumesShareTheMemoryForWhatWasReadEvenly() throws {
        let (gateway, id) = try gateway(frameCacheByteCount: 4 << 20)
        // 3 MiB, in an order that nobody looks ahead of: less than all of the memory and more than half.
        func readAll() throws -> UInt64 {
            let before = try sources(gateway, id).memoryByteCount
            for step in [0, 20, 5, 33, 11, 27, 16, 38, 8, 24, 2, 30] {
                _ = try gateway.read(id, sector: UInt64(step * 512), count: 512)
            }
            return try sources(gateway, id).memoryByteCount - before
        }
        #expect(try readAll() == 0)
        #expect(try readAll() == 3 << 20)
        try gateway.create("other")
        #expect(try readAll() <= 2 << 20)
    }

    @Test func aVolumeIsWarmedInTheBackground() throws {
        let (gateway, id) = try gateway()
        let request = VolumeWarmRequest(volume: VolumeReference("db"), byteOffset: 1 << 20, byteCount: 2 << 20)
        _ = try gateway.await { gateway.control.warm(request, answer: $0) }
        let warming = try #require(gateway.control.list().volumes.first?.reads?.warming)
        #expect(!warming.isRunning && warming.outcome == "finished")
        #expect(warming.fetchedByteCount == 2 << 20 && warming.doneByteCount == 2 << 20)
        for step in 4..<12 { try read(gateway, id, step: step) }
        #expect(try sources(gateway, id).bucketByteCount == 0)
        // All of it is there now: nothing is fetched twice.
        _ = try gateway.await { gateway.control.warm(request, answer: $0) }
        let again = try #require(gateway.control.list().volumes.first?.reads?.warming)
        #expect(again.fetchedFrameCount == 0 && again.presentFrameCount == warming.fetchedFrameCount)
    }

    private func warm(
        _ gateway: GatewayHarness, after failures: [UploadResult.Outcome]
    ) throws -> VolumeReadFigures.Warming {
        gateway.bucket.frameFailures = failures
        let request = VolumeWarmRequest(volume: VolumeReference("db"), byteOffset: 0, byteCount: 1 << 20)
        var warming = try gateway.await { gateway.control.warm(request, answer: $0) }.reads?.warming
        for _ in 0..<60 where warming?.isRunning == true {
            gateway.pass(1)
            warming = gateway.control.list().volumes.first?.reads?.warming
        }
        return try #require(warming)
    }

    @Test func warmingWaitsOutWhatPassesByItself() throws {
        let (gateway, _) = try gateway()
        let away = UploadResult.Outcome.unavailable(reason: "away")
        let warming = try warm(gateway, after: [away, away, .corrupt(reason: "damaged"), away])
        #expect(warming.outcome == "finished" && warming.problem == nil && warming.fetchedByteCount == 1 << 20)
    }

    @Test func warmingTellsOfADamagedMap() throws {
        let first = try GatewayHarness()
        let id = try volume(first)
        try first.stop()
        var head = try #require(try first.bucket.head(id))
        // A node of another kind, sound in itself, where the root should be.
        head.root.tree = head.root.packTable
        #expect(head.root.tree != nil)
        first.bucket.put(BucketLayout.head(id), try HeadFormat.encode(head))
        let second = try GatewayHarness(bucket: first.bucket, gateway: 2)
        _ = try second.attach("db", force: true)
        let warming = try warm(second, after: [])
        #expect(!warming.isRunning && warming.outcome.hasPrefix("stopped: 1 frames or map nodes cannot be had"))
        #expect(warming.problem?.contains("map node") == true)
    }

    @Test func warmingTellsWhatItWaitsForAndWhatItCouldNotGet() throws {
        let (gateway, _) = try gateway()
        gateway.bucket.frameFailures = [UploadResult.Outcome](repeating: .unavailable(reason: "away"), count: 1000)
        let request = VolumeWarmRequest(volume: VolumeReference("db"), byteOffset: 0, byteCount: 1 << 20)
        _ = try gateway.await { gateway.control.warm(request, answer: $0) }
        let waiting = try #require(gateway.control.list().volumes.first?.reads?.warming)
        #expect(waiting.isRunning && waiting.problem?.contains("away") == true)

        let damaged = [UploadResult.Outcome](repeating: .corrupt(reason: "damaged"), count: 1000)
        let ended = try warm(gateway, after: damaged)
        #expect(!ended.isRunning && ended.outcome.hasPrefix("stopped: 16 frames or map nodes cannot be had"))
        #expect(ended.problem?.contains("damaged") == true)

        let refused = [UploadResult.Outcome](repeating: .refused(reason: "no credentials"), count: 1000)
        #expect(try warm(gateway, after: refused).problem?.contains("no credentials") == true)
    }

    @Test func warmingWaitsOutMapNodesThatDoNotCome() throws {
        let (gateway, _) = try gateway()
        gateway.isBucketReachable = false
        let request = VolumeWarmRequest(volume: VolumeReference("db"), byteOffset: 0, byteCount: 1 << 20)
        _ = try gateway.await { gateway.control.warm(request, answer: $0) }
        // Longer than jobs may take.
        for _ in 0..<40 { gateway.pass(1) }
        gateway.isBucketReachable = true
        for _ in 0..<40 { gateway.pass(1) }
        let warming = try #require(gateway.control.list().volumes.first?.reads?.warming)
        #expect(warming.outcome == "finished" && warming.fetchedByteCount == 1 << 20)
    }

    @Test func aRangeBeyondTheEndIsRefusedAndWarmingCanBeStopped() throws {
        let (gateway, _) = try gateway()
        let beyond = VolumeWarmRequest(volume: VolumeReference("db"), byteOffset: 1 << 30)
        let fault = try gateway.fault { _ = try gateway.await { gateway.control.warm(beyond, answer: $0) } }
        #expect(fault.code == .invalidArgument)
        gateway.isBucketReachable = false
        let all = VolumeWarmRequest(volume: VolumeReference("db"))
        let started = try gateway.await { gateway.control.warm(all, answer: $0) }
        #expect(started.reads?.warming?.isRunning == true)
        let stop = VolumeWarmRequest(volume: VolumeReference("db"), isCancelled: true)
        let stopped = try gateway.await { gateway.control.warm(stop, answer: $0) }
        #expect(stopped.reads?.warming?.isRunning == false && stopped.reads?.warming?.outcome == "cancelled")
    }
}
