// SPDX-License-Identifier: Apache-2.0
import Foundation
import GatewayHarness
import Glibc

/// One run from an empty gateway to the verdict.
struct CrashRun: Sendable {
    struct Plan: Sendable {
        var kills: Int
        var seed: UInt64
        var initiators: Int
        var blocks: UInt64
        var binaries: URL
        var keep: Bool
    }

    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    let plan: Plan
    /// nil: the bucket is a directory.
    let bucket: StoreUnderTest?

    func perform() throws {
        say("seed \(plan.seed): \(plan.kills) kills, \(plan.initiators) initiators")
        let gateway = try GatewayUnderTest(
            binaries: plan.binaries, s3: bucket?.bucket, settings: "commit: {interval: 2s}")
        defer { if plan.keep { gateway.killAll() } else { gateway.tearDown() } }
        try gateway.start()
        try gateway.sluice("volume", "create", "stamped", "--size", "1GiB")
        try gateway.waitForTarget("stamped")
        let stopping = StopFlag()
        let loads = (0..<plan.initiators).map { load($0, gateway, stopping) }
        for load in loads { Thread.detachNewThread { load.main() } }
        var killer = Killer(gateway: gateway, random: LoadRandom(state: plan.seed))
        for number in 1...plan.kills {
            try killer.strike()
            if number % 20 == 0 { say("\(number) kills: \(killer.summary)") }
            // What went wrong will not be mended by more kills, and is easier to understand without them.
            if loads.contains(where: \.hasFailed) { break }
        }
        usleep(3_000_000)
        stopping.set()
        loads.forEach { $0.finished.wait() }
        try check(gateway, loads)
        try bucket?.checkFaults()
        try checkForCrashes(gateway)
        let commands = loads.reduce(0) { $0 + $1.commandCount }
        let pauses = StampedLoad.Kind.allCases.map { kind in
            "\(kind) \(String(format: "%.1f", loads.compactMap { $0.longestPause[kind] }.max() ?? 0)) s"
        }
        say(
            "passed: \(killer.summary), \(commands) commands, "
                + "\(loads.reduce(0) { $0 + $1.lossCount }) lost connections, "
                + "\(loads.reduce(0) { $0 + $1.busyCount }) answers of BUSY, "
                + "longest pauses: \(pauses.joined(separator: ", "))")
    }

    private func load(_ index: Int, _ gateway: GatewayUnderTest, _ stopping: StopFlag) -> StampedLoad {
        StampedLoad(
            StampedLoad.Plan(
                port: gateway.portal, target: gateway.target("stamped"), volume: plan.seed, index: index,
                initiatorCount: plan.initiators, blockCount: plan.blocks, seed: plan.seed), stopping: stopping)
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

    /// A service that ends by a mistake of its own hides among those that are killed.
    private func checkForCrashes(_ gateway: GatewayUnderTest) throws {
        let lines = try String(contentsOf: gateway.logFile, encoding: .utf8).split(separator: "\n")
        let signs = ["Program crashed", "swift-runtime:", "Fatal error", "exit status 70"]
        let crashes = lines.filter { line in
            signs.contains { line.contains($0) }
                || line.contains("reason=\"signal ") && !line.contains("reason=\"signal 9\"")
        }
        guard crashes.isEmpty else {
            throw Failure(
                description: "a service crashed (seed \(plan.seed)):\n" + crashes.prefix(20).joined(separator: "\n"))
        }
    }

    private func complain(_ loads: [StampedLoad], _ when: String) throws {
        let finished = DispatchSemaphore(value: 0)
        for load in loads {
            Thread.detachNewThread {
                load.verify()
                finished.signal()
            }
        }
        for _ in loads { finished.wait() }
        let complaints = loads.flatMap(\.complaints)
        guard complaints.isEmpty else {
            throw Failure(
                description: "\(complaints.count) complaints \(when) (seed \(plan.seed)):\n"
                    + complaints.prefix(20).joined(separator: "\n"))
        }
        say("all blocks and the counter are right \(when)")
    }

    private func convert(_ source: String, _ target: String) throws {
        let result = try GatewayUnderTest.run("qemu-img", ["convert", "-f", "raw", "-O", "raw", source, target])
        guard result.status == 0 else { throw Failure(description: "qemu-img convert: \(result.error)") }
    }

    private func compare(_ left: String, _ right: String, _ what: String) throws {
        let result = try GatewayUnderTest.run("cmp", [left, right])
        guard result.status == 0 else { throw Failure(description: "\(what) differ: \(result.output)\(result.error)") }
        say("\(what) are equal")
    }
}
