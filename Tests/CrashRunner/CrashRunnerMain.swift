// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import GatewayHarness
import Glibc

/// Kills services of a real gateway at random under a stamped-block load and compares what is left with what was
/// acknowledged: through the volume, in the bucket alone, and after the machine's state was thrown away.
@main
struct CrashRunnerMain: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sluice-crash",
        abstract: "Kill a gateway's services under load and check that nothing acknowledged is lost.")

    @Option(help: "How many SIGKILLs and SIGSTOPs.") var kills = 200
    @Option(help: "Seed of load and kills.") var seed: UInt64 = .random(in: 1...1_000_000)
    @Option(help: "Initiators that write at once (1-8).") var initiators = 3
    @Option(help: "Blocks of 4 KiB that they write to.") var blocks: UInt64 = 20_000
    @Option(help: "Directory of the executables.") var binaries = GatewayUnderTest.builtBinaries.path
    @Flag(help: "Keep the gateway's directory.") var keep = false

    func run() throws {
        say("seed \(seed): \(kills) kills, \(initiators) initiators")
        let gateway = try GatewayUnderTest(
            binaries: URL(fileURLWithPath: binaries), settings: "commit: {interval: 2s}")
        defer { if keep { gateway.killAll() } else { gateway.tearDown() } }
        try gateway.start()
        try gateway.sluice("volume", "create", "stamped", "--size", "1GiB")
        try gateway.waitForTarget("stamped")
        let stopping = StopFlag()
        let loads = (0..<initiators).map { index in
            StampedLoad(
                StampedLoad.Plan(
                    port: gateway.portal, target: gateway.target("stamped"), volume: seed, index: index,
                    initiatorCount: initiators, blockCount: blocks, seed: seed), stopping: stopping)
        }
        for load in loads { Thread.detachNewThread { load.main() } }
        var killer = Killer(gateway: gateway, random: LoadRandom(state: seed))
        for number in 1...kills {
            killer.strike()
            if number % 20 == 0 { say("\(number) kills: \(killer.summary)") }
        }
        usleep(3_000_000)
        stopping.set()
        loads.forEach { $0.finished.wait() }
        try check(gateway, loads)
        let commands = loads.reduce(0) { $0 + $1.commandCount }
        let pause = loads.map(\.longestPause).max() ?? 0
        say(
            "passed: \(killer.summary), \(commands) commands, "
                + "\(loads.reduce(0) { $0 + $1.lossCount }) lost connections, "
                + "longest pause \(String(format: "%.1f", pause)) s")
    }

    private func check(_ gateway: GatewayUnderTest, _ loads: [StampedLoad]) throws {
        try complain(loads, "after the kills")
        try gateway.sluice("volume", "sync", "stamped")
        let live = gateway.path("live.img").path
        let exported = gateway.path("exported.img").path
        try gateway.sluice(["export", "--volume", "stamped", "--output", exported] + gateway.bucketArguments)
        try convert(gateway.url("stamped"), live)
        try compare(live, exported, "the volume and its export")
        gateway.killAll()
        for name in ["state", "journal", "cache"] {
            try FileManager.default.removeItem(at: gateway.path(name))
            try FileManager.default.createDirectory(at: gateway.path(name), withIntermediateDirectories: true)
        }
        try gateway.start()
        try gateway.sluice("volume", "attach", "stamped", "--force")
        try complain(loads, "from the bucket alone")
        let restored = gateway.path("restored.img").path
        try convert(gateway.url("stamped"), restored)
        try compare(restored, exported, "the restored volume and the export")
    }

    private func complain(_ loads: [StampedLoad], _ when: String) throws {
        let complaints = loads.flatMap { $0.verify() }
        guard complaints.isEmpty else {
            throw ValidationError(
                "\(complaints.count) complaints \(when) (seed \(seed)):\n"
                    + complaints.prefix(20).joined(separator: "\n"))
        }
        say("all blocks and the counter are right \(when)")
    }

    private func convert(_ source: String, _ target: String) throws {
        let result = try GatewayUnderTest.run("qemu-img", ["convert", "-f", "raw", "-O", "raw", source, target])
        guard result.status == 0 else { throw ValidationError("qemu-img convert: \(result.error)") }
    }

    private func compare(_ left: String, _ right: String, _ what: String) throws {
        let result = try GatewayUnderTest.run("cmp", [left, right])
        guard result.status == 0 else { throw ValidationError("\(what) differ: \(result.output)\(result.error)") }
        say("\(what) are equal")
    }
}

/// Prints at once, so that a log shows how far a long run got.
private func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

/// Chooses victims: mostly one service, sometimes all at once, sometimes stopped for a while instead of killed.
private struct Killer {
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
