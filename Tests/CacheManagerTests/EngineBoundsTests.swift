// SPDX-License-Identifier: Apache-2.0
import CacheManager
import Engine
import Messages
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
}
