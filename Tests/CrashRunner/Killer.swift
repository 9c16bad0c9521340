// SPDX-License-Identifier: Apache-2.0
import Foundation
import GatewayHarness
import Glibc

/// Chooses victims: mostly one service, sometimes all at once, sometimes stopped for a while instead of killed.
struct Killer {
    let gateway: GatewayUnderTest
    var random: LoadRandom
    private var counts: [String: Int] = [:]

    init(gateway: GatewayUnderTest, random: LoadRandom) {
        self.gateway = gateway
        self.random = random
    }

    var summary: String { counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ") }

    /// The data path does not notice the exporter.
    private static func isVictim(_ name: String) -> Bool { !name.hasPrefix("exporter") }

    mutating func strike() throws {
        usleep(UInt32(200_000 + random.next() % 1_200_000))
        var services = gateway.serviceProcessIDs
        // After all were killed at once, there may be nobody to kill for a moment.
        while !services.keys.contains(where: Self.isVictim) {
            guard gateway.isRunning else { throw CrashRun.Failure(description: "the gateway has ended by itself") }
            usleep(20_000)
            services = gateway.serviceProcessIDs
        }
        if random.next() % 10 == 0 {
            counts["kill all", default: 0] += 1
            for id in services.values { kill(id, SIGKILL) }
            return
        }
        let preferred = services.keys.filter(Self.isVictim).sorted()
        let name = preferred[Int(random.next() % UInt64(preferred.count))]
        guard let id = services[name] else { return }
        if random.next() % 5 == 0 {
            counts["stop \(name)", default: 0] += 1
            kill(id, SIGSTOP)
            usleep(UInt32(500_000 + random.next() % 2_500_000))
            kill(id, SIGCONT)
        } else {
            counts["kill \(name)", default: 0] += 1
            kill(id, SIGKILL)
        }
    }
}
