// SPDX-License-Identifier: Apache-2.0
import Engine
import Messages
import ObjectStorage
import ServiceKit
import TestSupport
import Testing
import Uploader
import Wire

struct BucketOpeningTests {
    private let bucket: TemporaryBucket
    private let store: DirectoryObjectStore
    private let policy = RetryPolicy(
        firstPause: .microseconds(1), maximumPause: .microseconds(2), deadline: .microseconds(10))

    init() throws {
        bucket = try TemporaryBucket()
        store = try bucket.openStore()
    }

    @Test func aNewBucketIsMarkedWithTheFormat() async throws {
        try await BucketOpening(store, wallMilliseconds: 77, policy: policy).claimFormat()
        let marker = try FormatMarker(decoding: try await store.get(BucketLayout.format).bytes)
        #expect(marker.format == BucketLayout.formatVersion)
        #expect(marker.createdMilliseconds == 77)
        // A later start leaves it alone.
        try await BucketOpening(store, wallMilliseconds: 99, policy: policy).claimFormat()
        #expect(try FormatMarker(decoding: try await store.get(BucketLayout.format).bytes) == marker)
    }

    @Test func aBucketOfANewerFormatIsRefused() async throws {
        let marker = Array(#"{"format": 2, "product": "sluice", "shape": "unheard of"}"#.utf8)
        _ = try await store.put(BucketLayout.format, marker, .absent)
        await #expect(throws: ObjectStoreError.refused(.newerFormat(found: 2, supported: 1))) {
            try await BucketOpening(store, wallMilliseconds: 1, policy: policy).claimFormat()
        }
        #expect(try await store.get(BucketLayout.format).bytes == marker)
    }

    @Test(arguments: ["", "{}", "sluice", #"{"format": "1"}"#, #"{"format":1,"product":"x","createdMilliseconds":1}"#])
    func aDamagedMarkerIsRefused(_ text: String) async throws {
        _ = try await store.put(BucketLayout.format, Array(text.utf8), .absent)
        await #expect(throws: ObjectStoreError.refused(.unreadableFormat(BucketLayout.format))) {
            try await BucketOpening(store, wallMilliseconds: 1, policy: policy).claimFormat()
        }
    }

    @Test func aStoreThatIgnoresConditionsIsRefused() async throws {
        let broken = FaultyObjectStore(store, seed: 1, breakage: [.ignoresAbsent, .ignoresMatches])
        let error = await #expect(throws: ObjectStoreError.self) {
            try await BucketOpening(broken, wallMilliseconds: 1, policy: policy).probe(run: 1)
        }
        #expect(error?.disposition == .refuse)
    }

    @Test func theProbeLeavesNothingAndRemovesWhatAnOlderOneLeft() async throws {
        let hour: UInt64 = 3_600_000
        _ = try await store.put(ObjectKey("probes/0000000000000001-0000000000000009.create"), [1], .absent)
        try await BucketOpening(store, wallMilliseconds: 2 * hour, policy: policy).probe(run: 2)
        #expect(try await store.list(prefix: "", after: nil, limit: 1).keys.isEmpty)
    }

    @Test func aPassIsRememberedForADayForThisBucketOnly() throws {
        let run = DirectoryPath(bucket.path)
        let memory = ProbeMemory(runDirectory: run, bucket: "file:///a")
        #expect(!memory.hasPassed(now: 1000))
        memory.remember(now: 1000)
        #expect(memory.hasPassed(now: 1000))
        #expect(memory.hasPassed(now: 86_400_999))
        #expect(!memory.hasPassed(now: 86_401_000))
        #expect(!memory.hasPassed(now: 999), "a clock that was set back tells nothing")
        #expect(!ProbeMemory(runDirectory: run, bucket: "file:///b").hasPassed(now: 1000))
    }
}

struct UploaderStateTests {
    @Test func stoppingLetsNothingNewBeginAndWaitsForTheRest() async {
        let state = UploaderState()
        #expect(state.begin())
        state.stop()
        #expect(!state.begin())
        #expect(!state.report().isReady)
        async let idle: Void = state.idle()
        state.end()
        await idle
    }

    @Test func healthNamesTheBucketsLastProblemUntilItAnswersAgain() {
        let state = UploaderState()
        #expect(state.report().isReady)
        state.note(.unavailable(reason: "no space left"))
        #expect(state.report() == (false, "the last job failed: no space left"))
        state.note(.notFound)
        #expect(state.report().isReady)
        #expect(state.metricFamilies.last?.samples.map(\.value) == [1, 1])
    }

    @Test func anOldProblemDoesNotKeepAnIdleUploaderUnready() {
        let state = UploaderState()
        let moment = ContinuousClock.now
        state.note(.unavailable(reason: "no space left"), at: moment)
        #expect(!state.report(at: moment + UploaderState.problemTime - .seconds(1)).isReady)
        #expect(state.report(at: moment + UploaderState.problemTime).isReady, "an idle uploader is not stuck")
    }
}
