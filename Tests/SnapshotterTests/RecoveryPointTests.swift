// SPDX-License-Identifier: Apache-2.0
import Engine
import Messages
import ObjectStorage
import Snapshotter
import TestSupport
import Testing
import Wire

struct RecoveryPointTests {
    @Test func aNameIsFoundWithoutListingThePacks() async throws {
        let harness = try SnapshotHarness([])
        let heads = (1...6 as ClosedRange<UInt64>).map { MemoryOwner.head("v\($0)", id: $0) }
        for head in heads {
            try await harness.put(head)
            for number in 0..<40 as Range<UInt64> {
                let pack = ObjectKey("volumes/\(head.volume)/data/\(number % 4)/\(number)")
                _ = try await harness.store.put(pack, [], .none)
            }
        }
        let meter = RequestMeter()
        let points = RecoveryPoints(
            MeteredObjectStore(harness.store, meter: meter), policy: SnapshotHarness.policy, pageLimit: 10)
        #expect(try await points.head(of: VolumeReference("v6"), ours: []) == heads[5])
        #expect(meter.totals.requests[.list]?[.success] == 7)
        #expect(meter.totals.requests[.get]?[.success] == 6)
        let fault = await harness.fault { _ = try await points.head(of: VolumeReference("v7"), ours: []) }
        #expect(fault?.code == .unknownVolume)
    }
}
