// SPDX-License-Identifier: Apache-2.0
import ObjectStorage
import TestSupport
import Testing
import Wire

/// A store that breaks its word must not pass; one that is merely slow or busy must.
struct ConsistencyProbeTests {
    private func findings(
        _ breakage: FaultyObjectStore.Breakage, rates: FaultyObjectStore.Rates = .init(), seed: UInt64 = 7,
        retry: RetryPolicy = RetryPolicy(
            firstPause: .milliseconds(1), maximumPause: .milliseconds(10), deadline: .seconds(5))
    ) async throws -> [ConsistencyProbe.Finding] {
        let bucket = try TemporaryBucket()
        let store = FaultyObjectStore(try bucket.openStore(), seed: seed, rates: rates, breakage: breakage)
        return try await ConsistencyProbe(store, time: 1, run: 2, roundCount: 3, retry: retry).run()
    }

    @Test func soundStorePasses() async throws {
        #expect(try await findings([]).isEmpty)
    }

    @Test func conflictsAreNoFindings() async throws {
        var rates = FaultyObjectStore.Rates()
        rates.conflict = 0.3
        rates.latencyTurns = 0...20
        #expect(try await findings([], rates: rates).isEmpty)
    }

    @Test func findsIgnoredCreateConditions() async throws {
        let found = try await findings(.ignoresAbsent)
        #expect(found.contains(.createsWon(32, of: 32)))
        #expect(found.contains(.createdOverExisting))
    }

    @Test func findsIgnoredReplaceConditions() async throws {
        let found = try await findings(.ignoresMatches)
        #expect(found.contains(.replacementsWon(32, of: 32)))
        #expect(found.contains(.staleTagAccepted))
        #expect(found.contains(.missingObjectReplaced))
    }

    @Test func findsConditionsThatAreNotDecidedInOneStep() async throws {
        let found = try await findings(.decidesTooEarly)
        #expect(
            found.contains {
                switch $0 {
                case .createsWon(let count, _), .replacementsWon(let count, _): count > 1
                default: false
                }
            })
        #expect(!found.contains(.staleTagAccepted))
    }

    @Test func findsOldVersions() async throws {
        #expect(try await findings(.readsOldVersions).contains(.oldVersionRead(round: 1)))
    }

    @Test func findsCutRanges() async throws {
        #expect(try await findings(.cutsRanges) == [.shortRangeAccepted])
    }

    @Test func findsDamagedRanges() async throws {
        #expect(try await findings(.flipsBits).contains(.wrongRange))
    }

    @Test func findsDeletedObjects() async throws {
        #expect(try await findings(.keepsDeleted) == [.deletedObjectRead])
    }

    @Test func findsMissingListings() async throws {
        #expect(try await findings(.listsNothing) == [.notListed])
        #expect(try await findings(.listsFromTheStart) == [.listedAgain])
    }

    @Test func anUnavailableStoreIsNeitherSoundNorBroken() async throws {
        var rates = FaultyObjectStore.Rates()
        rates.unavailable = 1
        let retry = RetryPolicy(firstPause: .milliseconds(1), deadline: .milliseconds(20))
        await #expect(throws: ObjectStoreError.unavailable(.overloaded())) {
            try await findings([], rates: rates, retry: retry)
        }
    }

    /// Ceph's RGW answers some of many writers of one object with 500; a network does worse.
    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func failuresAndLostAnswersAreNoFindings(seed: UInt64) async throws {
        var rates = FaultyObjectStore.Rates()
        rates.unavailable = 0.1
        rates.lostReply = 0.15
        rates.lostRequest = 0.15
        rates.conflict = 0.1
        rates.shortBody = 0.1
        rates.latencyTurns = 0...5
        let found = try await findings([], rates: rates, seed: seed)
        #expect(found.isEmpty, "seed \(seed)")
    }

    @Test(arguments: 1...4 as ClosedRange<UInt64>)
    func failuresDoNotHideABrokenWord(seed: UInt64) async throws {
        var rates = FaultyObjectStore.Rates()
        rates.unavailable = 0.05
        rates.lostReply = 0.1
        rates.lostRequest = 0.1
        for breakage in [FaultyObjectStore.Breakage.ignoresAbsent, .ignoresMatches] {
            #expect(try await !findings(breakage, rates: rates, seed: seed).isEmpty, "seed \(seed)")
        }
    }

    @Test func objectsOfARunThatWasKilledAreRemovedOnceOld() async throws {
        let bucket = try TemporaryBucket()
        let store = try bucket.openStore()
        for time in ["0000000000000063", "0000000000000064", "0000000000000065"] {
            _ = try await store.put(ObjectKey("probes/\(time)-0000000000000001.create"), [1], .absent)
        }
        var rates = FaultyObjectStore.Rates()
        rates.unavailable = 0.5
        let faulty = FaultyObjectStore(store, seed: 1, rates: rates)
        try await ConsistencyProbe(faulty, time: 1, run: 2).removeLeftovers(before: 0x65)
        let left = try await store.list(prefix: "", after: nil, limit: 10).keys
        #expect(left == [ObjectKey("probes/0000000000000065-0000000000000001.create")])
    }

    @Test func checkRefusesWithEveryReason() async throws {
        let bucket = try TemporaryBucket()
        let store = FaultyObjectStore(try bucket.openStore(), seed: 1, breakage: [.cutsRanges, .listsNothing])
        let error = await #expect(throws: ObjectStoreError.self) {
            try await ConsistencyProbe(store, time: 1, run: 2, roundCount: 1).check()
        }
        #expect(error == .refused(.unreliable([.shortRangeAccepted, .notListed])))
        #expect(error?.description.contains("missing from the listing") == true)
        #expect(error?.disposition == .refuse)
    }
}
