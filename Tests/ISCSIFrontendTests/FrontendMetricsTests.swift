// SPDX-License-Identifier: Apache-2.0
import Bus
import Messages
import Platform
import TestInitiator
import Testing
import Wire

/// What a frontend counts while real sessions do what the test knows.
@Suite(.serialized) struct FrontendMetricsTests {
    @Test func commandsCountForTheirInitiatorAndVolume() async throws {
        try await FrontendHarness.run { harness in
            let cache = try harness.cacheManager()
            defer { cache.die() }
            let (one, two) = (try harness.loggedIn(1), try harness.loggedIn(2))
            let data = [UInt8](repeating: 7, count: 8192)
            #expect(try one.execute([.write(lba: 0, data), .write(lba: 16, data)]).allSatisfy(\.isGood))
            #expect(try one.execute([.read(lba: 0, sectors: 8), .flush]).allSatisfy(\.isGood))
            #expect(try two.execute([.unmap(lba: 0, sectors: 8)])[0].isGood)
            // Outside of the volume: refused by the frontend itself, so nothing that the volume did.
            #expect(try two.execute([.read(lba: 1 << 40, sectors: 8)])[0].isGood == false)
            try two.logout()

            let families = try harness.metrics()
            for family in families.values {
                #expect(Metric.all.contains { $0.name == family.name && $0.help == family.help }, "\(family.name)")
            }
            func value(_ metric: Metric, _ number: Int, _ more: [String: String] = [:]) -> Double? {
                let labels = [
                    "initiator": "iqn.2026-11.com.example:host-\(number)",
                    "volume": harness.volume.id.description, "name": "memory",
                ]
                let wanted = labels.merging(more) { own, _ in own }
                return families[metric.name]?.samples.first { $0.labels == wanted }?.value
            }
            #expect(value(.initiatorSessions, 1) == 1 && value(.initiatorSessions, 2) == 0)
            #expect(value(.initiatorWriteBytes, 1) == 16384 && value(.initiatorReadBytes, 1) == 4096)
            #expect(value(.initiatorWriteBytes, 2) == 0 && value(.initiatorReadBytes, 2) == 0)
            let operations = VolumeOperation.allCases.map { ["operation": $0.rawValue] }
            #expect(operations.map { value(.initiatorCommands, 1, $0) } == [1, 2, 1, 0])
            #expect(operations.map { value(.initiatorCommands, 2, $0) } == [1, 0, 0, 1])
            let seconds = operations.map { value(.initiatorCommandSeconds, 1, $0) ?? -1 }
            #expect(seconds[0...2].allSatisfy { $0 > 0 && $0 < 10 } && seconds[3] == 0, "\(seconds)")
            let latencies = families[Metric.commandSeconds.name]?.samples ?? []
            #expect(latencies.map { $0.bucketCounts?.reduce(0, +) } == [2, 2, 1, 1])
            #expect(latencies.allSatisfy { $0.value > 0 && $0.value < 10 })
            #expect(families[Metric.iscsiLane.name]?.samples == [.init(labels: ["lane": "zeromq"], value: 1)])
        }
    }
}
