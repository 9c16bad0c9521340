// SPDX-License-Identifier: Apache-2.0
import CacheManager
import Engine
import Messages
import Platform
import Testing
import Wire

/// Who waits for whom, when the uploader's slots for reads are full.
struct ReadUrgencyTests {
    private static let leafCount: UInt64 = 100

    private func block(ofLeaf leaf: UInt64) -> UInt64 { leaf * 1024 }

    private func bytes(_ leaf: UInt64) -> [UInt8] { [UInt8](repeating: UInt8(leaf + 1), count: 4096) }

    private func write(_ gateway: GatewayHarness, _ id: VolumeID, offset: UInt64) throws {
        for leaf in 0..<Self.leafCount {
            try gateway.write(bytes(leaf), to: id, sector: (block(ofLeaf: leaf) + offset) * 8)
        }
        _ = try gateway.sync("db")
    }

    private func isMapRead(_ work: UploadJob.Work) -> Bool {
        guard case .getRange(let key, _, _) = work else { return false }
        return key.name.contains("/map/")
    }

    /// A gateway that has nothing of the volume but the bucket, whose map needs folding.
    private func gateway() throws -> (GatewayHarness, VolumeID) {
        let first = try GatewayHarness()
        let id = try first.create().id
        try write(first, id, offset: 0)
        beginFold(first)
        #expect(first.reports.contains(.folded(number: 1)))
        try write(first, id, offset: 1)
        let second = try GatewayHarness(bucket: first.bucket, gateway: 2)
        _ = try second.attach("db", force: true)
        return (second, id)
    }

    /// A fold pauses now and then, to go on in the next round of the loop.
    private func beginFold(_ gateway: GatewayHarness) {
        gateway.pass(901)
        for _ in 0..<100 { gateway.pass(0.001) }
    }

    /// Until a fold waits for leaves: more than the slots that it is given, which are half of them.
    private func holdFold(_ gateway: GatewayHarness) {
        gateway.holdsJob = isMapRead
        beginFold(gateway)
        // What it needs first is alone.
        for _ in 0..<10 where gateway.heldJobCount == 1 { gateway.answerHeldJob(at: 0) }
        #expect(gateway.heldJobCount == 4)
    }

    @Test func readersGoBeforeAFoldAndBeforeThoseWhoLookAhead() throws {
        let (gateway, id) = try gateway()
        func submitRead(_ leaf: UInt64) -> UInt64 {
            let number = gateway.submit(.read, id, sector: block(ofLeaf: leaf) * 8, count: 8)
            gateway.run()
            return number
        }
        holdFold(gateway)
        let warm = VolumeWarmRequest(
            volume: VolumeReference("db"), byteOffset: block(ofLeaf: 80) * 4096, byteCount: 4096)
        _ = try gateway.await { gateway.control.warm(warm, answer: $0) }
        #expect(gateway.heldJobCount == 4)
        for leaf in 96..<100 as Range<UInt64> { _ = submitRead(leaf) }
        #expect(gateway.heldJobCount == 8)

        // Nodes that nobody else wants, that the fold waits for, and that warming waits for.
        let numbers = [95, 60, 80].map { (leaf: $0, number: submitRead($0)) }
        #expect(gateway.heldJobCount == 8)
        gateway.answerHeldJob(at: 0)
        for _ in numbers { gateway.answerHeldJob(at: 7) }
        for (leaf, number) in numbers {
            let answer = try #require(gateway.takeAnswer(number), "leaf \(leaf)")
            #expect(answer.payload?.array == bytes(leaf))
        }

        gateway.holdsJob = { _ in false }
        for _ in 0..<100 { gateway.pass(0.001) }
        #expect(gateway.reports.contains(.folded(number: 2)))
    }

    @Test func aFoldThatACleanStopWaitsForIsHastened() throws {
        let (gateway, id) = try gateway()
        holdFold(gateway)
        let hosted = try #require(gateway.shard.volumes[id])
        gateway.shard.run(.stop, on: hosted) { _ in }
        gateway.run()
        #expect(gateway.heldJobCount == 8)
    }
}
