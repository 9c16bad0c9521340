// SPDX-License-Identifier: Apache-2.0
import Engine
import Testing
import Wire

/// Map nodes in the read cache: the local mirror of the map.
struct ReadCacheNodeTests {
    private let node = CacheHarness.node(3)

    @Test func aNodeIsFetchedOnceAndFoundAgainAfterARestart() {
        let harness = CacheHarness()
        #expect(harness.read(node) == .bucket)
        #expect(harness.read(node) == .cache)
        harness.restart(cleanly: true)
        #expect(harness.read(node) == .cache)
        #expect(harness.fetchCount == 1)
        let statistics = harness.cache.statistics
        #expect(statistics.nodeHitCount == 1 && statistics.nodeMissCount == 0)
        #expect(statistics.hitCount == 0 && statistics.missCount == 0, "frames are counted apart")
    }

    @Test func nodesOfAStoredPackAreThereBeforeAnybodyAsks() {
        let harness = CacheHarness()
        let nodes = (0..<20).map { CacheHarness.node($0) }
        harness.cache.keep(nodes, of: nodes.flatMap { CacheHarness.bytes(of: $0) }, at: harness.now)
        harness.run()
        harness.restart(cleanly: true)
        #expect(nodes.allSatisfy { harness.read($0) == .cache })
        #expect(harness.fetchCount == 0)
    }

    @Test func readersOfANodeShareOneRequest() {
        let harness = CacheHarness()
        harness.holdsBucket = true
        let waiters = [harness.ask(node), harness.ask(node)]
        harness.releaseBucket { _ in .success(CacheHarness.bytes(of: node)) }
        #expect(harness.fetchCount == 1)
        #expect(waiters.allSatisfy { harness.nodeAnswers[$0]?.source == .bucket })
    }

    @Test func aNodeOfTheBackgroundIsHastenedOnceSomebodyWaits() {
        let harness = CacheHarness()
        harness.holdsBucket = true
        let other = CacheHarness.node(4)
        _ = [harness.ask(node, .background), harness.ask(other, .background)]
        #expect(harness.heldFetches.map(\.urgency) == [.background, .background] && harness.hastened.isEmpty)
        _ = [harness.ask(node), harness.ask(node)]
        harness.cache.hasten(other)
        harness.cache.hasten(other)
        harness.cache.hasten(CacheHarness.node(5))
        harness.run()
        #expect(harness.hastened == [node.cacheKey, other.cacheKey])
    }

    @Test func aNodeThatIsNotWhatItsPointerSaysIsNeitherKeptNorPassedOn() {
        let harness = CacheHarness()
        harness.holdsBucket = true
        let waiter = harness.ask(node)
        harness.releaseBucket { _ in .success([UInt8](repeating: 9, count: 200)) }
        #expect(throws: BucketFailure.self) { try harness.nodeAnswers[waiter]?.result.get() }
        #expect(harness.cache.statistics.frameCount == 0)
    }

    @Test func aDamagedNodeIsFetchedAgain() {
        let harness = CacheHarness()
        _ = harness.read(node)
        harness.flush()
        harness.files[CacheFile(directory: CacheHarness.directory, number: 0)]?[64 + 64 + 100] ^= 1
        #expect(harness.read(node) == .bucket)
        #expect(harness.cache.statistics.damagedCount == 1)
        #expect(harness.read(node) == .cache)
    }

    /// A region's list is read whole from its end: it must not grow beyond what is read.
    @Test func aRegionOfSmallNodesIsFoundAgainAndRecycled() {
        let harness = CacheHarness()
        let nodes = (0..<1000).map { CacheHarness.node($0) }
        for node in nodes { _ = harness.read(node) }
        harness.restart(cleanly: true)
        #expect(nodes.allSatisfy { harness.read($0) == .cache })
        for number in 0..<200 { _ = harness.read(CacheHarness.frame(number)) }
        #expect(harness.cache.statistics.recycledCount > 0 && harness.cache.statistics.damagedCount == 0)
    }

    @Test func aScanDoesNotFlushTheMap() {
        let harness = CacheHarness()
        let nodes = (0..<100).map { CacheHarness.node($0) }
        for node in nodes { _ = harness.read(node) }
        for number in 0..<400 { _ = harness.read(CacheHarness.frame(number)) }
        #expect(nodes.allSatisfy { harness.read($0) == .cache })
    }
}
