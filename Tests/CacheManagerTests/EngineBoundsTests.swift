// SPDX-License-Identifier: Apache-2.0
import CacheManager
import Engine
import Messages
import Platform
import Testing
import Wire

/// What a volume keeps in memory does not grow with how long it runs.
struct EngineBoundsTests {
    private static let stepByteCount = 256 << 10

    private func bytes(_ step: Int) -> [UInt8] {
        [UInt8](repeating: UInt8(truncatingIfNeeded: step % 251 + 1), count: Self.stepByteCount)
    }

    private func write(_ steps: Range<Int>, to volume: VolumeID, _ gateway: GatewayHarness) throws {
        for step in steps {
            try gateway.write(bytes(step), to: volume, sector: UInt64(step * 512))
            if step % 8 == 7 { _ = try gateway.sync("db") }
        }
    }

    @Test func blocksOfRecycledSegmentsAreForgotten() throws {
        let gateway = try GatewayHarness()
        let id = try gateway.create().id
        let engine = try #require(gateway.shard.volumes[id]?.engine)
        let journalBlockCount = Int(engine.statistics.bufferByteCount) / Geometry.blockByteCount
        var most = 0
        let stepCount = 10 * Int(engine.statistics.bufferByteCount) / Self.stepByteCount
        for first in stride(from: 0, to: stepCount, by: 8) {
            try write(first..<first + 8, to: id, gateway)
            most = max(most, engine.cleanBlockCount)
        }
        #expect(most > journalBlockCount / 2 && most <= 2 * journalBlockCount, "\(most) of \(journalBlockCount)")
        for step in Array(stride(from: 0, to: stepCount, by: 7)) + [stepCount - 1] {
            #expect(try gateway.read(id, sector: UInt64(step * 512), count: 512) == bytes(step))
        }
    }

    /// A gateway that has the volume only in the bucket.
    private func takenOver() throws -> (GatewayHarness, VolumeID) {
        let first = try GatewayHarness()
        let id = try first.create().id
        try write(0..<104, to: id, first)
        first.pass(901)
        let second = try GatewayHarness(bucket: first.bucket, gateway: 2)
        _ = try second.attach("db", force: true)
        return (second, id)
    }

    /// Submits one read of each step, again under the same numbers if there are any.
    private func submitReads(_ gateway: GatewayHarness, _ id: VolumeID, _ numbers: [UInt64]? = nil) -> [UInt64] {
        let submitted = (0..<100).map { step in
            gateway.submit(.read, id, sector: UInt64(step * 512), count: 64, number: numbers?[step])
        }
        gateway.run()
        return submitted
    }

    @Test func readsEndAtTheirDeadlineThoughNothingAnswers() throws {
        let (gateway, id) = try takenOver()
        let engine = try #require(gateway.shard.volumes[id]?.engine)
        gateway.isUploaderRunning = false
        var waitCount = 0
        var numbers: [UInt64]?
        for round in 0..<20 {
            let submitted = submitReads(gateway, id, numbers)
            if round == 0 { waitCount = engine.waitCount }
            #expect(waitCount >= 100 && engine.waitCount <= 2 * waitCount, "after \(round) rounds")
            gateway.pass(9)
            #expect(submitted.allSatisfy { gateway.takeAnswer($0) == nil })
            gateway.pass(2)
            #expect(submitted.allSatisfy { gateway.takeAnswer($0)?.reply.status == .busy })
            #expect(engine.waitCount == 0)
            gateway.pass(0)
            #expect(submitted.allSatisfy { gateway.takeAnswer($0) == nil }, "answered once")
            // Every other time by an initiator that repeats its command, as a new one otherwise.
            numbers = round % 2 == 0 ? submitted : nil
        }

        let last = submitReads(gateway, id)
        gateway.isUploaderRunning = true
        gateway.pass(1)
        for (step, number) in last.enumerated() {
            #expect(gateway.takeAnswer(number)?.payload?.array == Array(bytes(step).prefix(64 * 512)))
        }
        #expect(engine.waitCount == 0)
        #expect(try gateway.read(id, sector: 512, count: 64) == Array(bytes(1).prefix(64 * 512)))
    }

    @Test func aFrameThatComesAfterTheDeadlineServesTheNextReader() throws {
        let (gateway, id) = try takenOver()
        _ = try gateway.read(id, sector: 0, count: 8)
        let works = gateway.bucket.workCount
        gateway.isBucketReachable = false
        let number = gateway.submit(.read, id, sector: 512, count: 8)
        gateway.pass(11)
        #expect(gateway.takeAnswer(number)?.reply.status == .busy)
        gateway.isBucketReachable = true
        gateway.run()
        #expect(gateway.takeAnswer(number) == nil && gateway.bucket.workCount == works + 1)
        #expect(try gateway.read(id, sector: 512, count: 8) == Array(bytes(1).prefix(4096)))
        #expect(gateway.bucket.workCount == works + 1)
    }
}
