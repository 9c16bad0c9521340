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

    mutating func strike() {
        usleep(UInt32(200_000 + random.next() % 1_200_000))
        let services = gateway.serviceProcessIDs
        guard !services.isEmpty else { return }
        if random.next() % 10 == 0 {
            counts["kill all", default: 0] += 1
            for id in services.values { kill(id, SIGKILL) }
            return
        }
        let preferred = services.keys.sorted().filter { !$0.hasPrefix("exporter") }
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
