// SPDX-License-Identifier: Apache-2.0
import Engine
import Testing
import Wire

@Suite struct VolumeBarrierTests {
    private let range = SectorRange(start: 8, count: 8)

    private func abort(_ harness: VolumeHarness, nexus: UInt64? = nil) -> CallerToken {
        harness.call { volume, caller, time in
            volume.abort(caller: caller, at: time) { request in nexus.map { $0 == request.nexus } ?? true }
        }
    }

    @Test func abortedRequestsAreAnsweredAndStayAborted() {
        let harness = VolumeHarness()
        harness.volume.holdWrites(until: .max)
        let mine = harness.send(.write(range), sectors(8, of: 1), nexus: 1)
        let other = harness.send(.write(range), sectors(8, of: 2), nexus: 2)
        let caller = abort(harness, nexus: 1)
        #expect(harness.lastReply(to: mine) == "aborted" && harness.lastReply(to: other) == nil)
        #expect(harness.passedBarriers.contains(caller))
        harness.volume.releaseWrites(at: harness.time)
        harness.settle()
        // Its answer was lost, so it comes again.
        harness.send(.write(range), sectors(8, of: 1), as: mine, nexus: 1)
        #expect(harness.lastReply(to: mine) == "aborted")
        #expect(harness.lastReply(to: other) == "good")
        #expect(harness.read(range) == sectors(8, of: 2))
    }

    @Test func abortWaitsForWhatIsInTheJournal() {
        let harness = VolumeHarness()
        harness.keepsBack = { $0.isJournalWrite }
        let write = harness.send(.write(range), sectors(8, of: 1))
        // Has read nothing yet, because the write before it is not published.
        let orWrite = harness.send(.orWrite(range), sectors(8, of: 2))
        let caller = abort(harness)
        #expect(harness.lastReply(to: orWrite) == "aborted" && harness.lastReply(to: write) == nil)
        #expect(!harness.passedBarriers.contains(caller))
        harness.release()
        #expect(harness.passedBarriers.contains(caller))
        #expect(harness.lastReply(to: write) == "good")
        #expect(harness.read(range) == sectors(8, of: 1))
    }

    @Test func whatWaitedForAnAbortedCommandGoesOn() {
        let harness = VolumeHarness()
        harness.keepsBack = { $0.isJournalWrite }
        harness.send(.write(range), sectors(8, of: 1), nexus: 2)
        harness.send(.orWrite(range), sectors(8, of: 2), nexus: 1)
        let blocked = harness.send(.write(range), sectors(8, of: 4), nexus: 2)
        _ = abort(harness, nexus: 1)
        harness.release()
        #expect(harness.lastReply(to: blocked) == "good")
        #expect(harness.read(range) == sectors(8, of: 4))
    }

    @Test func aBarrierLeavesItsRequestsUnanswered() {
        let harness = VolumeHarness()
        harness.volume.holdWrites(until: .max)
        let origin = harness.send(.write(range), sectors(8, of: 1), nexus: 1)
        let caller = harness.call { $0.barrier(frontend: origin.frontend, nexus: 1, caller: $1, at: $2) }
        #expect(harness.passedBarriers.contains(caller))
        #expect(harness.replies[origin] == nil)
    }
}
