// SPDX-License-Identifier: Apache-2.0
import CacheManager
import Engine
import Messages
import TestSupport
import Testing
import Wire

/// A volume of 32 TiB with data here and there: what opening and reading it costs does not depend on its size.
struct HugeVolumeTests {
    private static let gibibytes: UInt64 = 32 * 1024
    private static let name = "huge"

    /// Where its data is: four blocks apart by a leaf each, at 300 places.
    private let blocks: [UInt64]

    init() {
        var random = SeededRandom(seed: 32)
        var blocks: Set<UInt64> = [0, Self.gibibytes * 262_144 - 1]
        for _ in 0..<300 {
            let first = random.next() % (Self.gibibytes * 262_144 - 4096)
            for step in 0..<4 { blocks.insert(first + UInt64(step) * 1024) }
        }
        self.blocks = blocks.sorted()
    }

    private func bytes(_ block: UInt64) -> [UInt8] {
        [UInt8](repeating: UInt8(truncatingIfNeeded: block | 1), count: 4096)
    }

    private func written(frameCacheByteCount: Int = 0) throws -> (GatewayHarness, VolumeID) {
        let gateway = try GatewayHarness(frameCacheByteCount: frameCacheByteCount)
        let volume = try gateway.create(Self.name, gibibytes: Self.gibibytes)
        for (index, block) in blocks.enumerated() {
            try gateway.write(bytes(block), to: volume.id, sector: block * 8)
            if index % 400 == 399 { _ = try gateway.sync(Self.name) }
        }
        // More than the journal holds, so that reads have to go elsewhere.
        for step in 0..<80 {
            try gateway.write([UInt8](repeating: 7, count: 256 << 10), to: volume.id, sector: 800 + UInt64(step) * 512)
            if step % 20 == 19 { _ = try gateway.sync(Self.name) }
        }
        return (gateway, volume.id)
    }

    private func read(_ gateway: GatewayHarness, _ id: VolumeID, _ block: UInt64) throws -> Int {
        let before = gateway.bucket.workCount
        #expect(try gateway.read(id, sector: block * 8, count: 8) == bytes(block))
        return gateway.bucket.workCount - before
    }

    private func isMapRead(_ work: UploadJob.Work) -> Bool {
        guard case .getRange(let key, _, _) = work else { return false }
        return key.name.contains("/map/")
    }

    @Test func afterACleanStopItOpensByOneRequest() throws {
        let (gateway, id) = try written()
        try gateway.stop()
        let before = gateway.bucket.workCount
        try gateway.restart()
        // The map is on the local disk.
        let works = gateway.bucket.works[before...]
        guard works.count == 1, case .getObject(BucketLayout.head(id))? = works.first else {
            Issue.record("more than HEAD was asked for: \(works)")
            return
        }
        // Frames of four blocks that were never read: one request each.
        for index in stride(from: 0, to: 160, by: 8) { #expect(try read(gateway, id, blocks[index]) == 1) }
        #expect(try gateway.read(id, sector: (blocks[3] + 1) * 8, count: 8) == [UInt8](repeating: 0, count: 4096))
    }

    @Test func anotherMachineReadsABlockWithTwoRequests() throws {
        let (first, id) = try written()
        try first.stop()
        let second = try GatewayHarness(bucket: first.bucket, gateway: 2, frameCacheByteCount: 0)
        let before = first.bucket.workCount
        _ = try second.attach(Self.name, force: true)
        let above = first.bucket.works[before...].filter(isMapRead).count
        #expect(above > 300 && above < 1000, "what lies above the leaves: \(above)")
        for block in blocks where block % 4 == 1 { #expect(try read(second, id, block) <= 2) }
        #expect(try read(second, id, blocks[0]) == 2)
        let memory = try #require(second.shard.volumes[id]?.engine?.statistics.mapByteCount)
        #expect(memory <= 1 << 20, "the budget of nodes in memory")
    }

    @Test func afterACrashItOpensInAFewRounds() throws {
        let (first, id) = try written()
        _ = try first.sync(Self.name)
        let second = try GatewayHarness(bucket: first.bucket, gateway: 2, frameCacheByteCount: 0)
        let before = second.roundCount
        _ = try second.attach(Self.name, force: true)
        #expect(second.roundCount - before <= 10)
        for block in blocks { _ = try read(second, id, block) }
        // The first one, too, as its journal is whole.
        let rounds = first.roundCount
        try first.restart()
        #expect(first.roundCount - rounds <= 10)
    }
}
