// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import FaultProxy
import Foundation
import GatewayHarness

/// Kills services of a real gateway at random under a stamped-block load and compares what is left with what was
/// acknowledged: through the volume, in the bucket alone, and after the machine's state was thrown away.
@main
struct CrashRunnerMain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sluice-crash",
        abstract: "Kill a gateway's services under load and check that nothing acknowledged is lost.")

    @Option(help: "How many SIGKILLs and SIGSTOPs.") var kills = 200
    @Option(help: "Seed of load, kills and faults.") var seed: UInt64 = .random(in: 1...1_000_000)
    @Option(help: "Initiators that write at once (1-8).") var initiators = 3
    @Option(help: "Blocks of 4 KiB that they write to.") var blocks: UInt64 = 20_000
    @Option(help: "Directory of the executables.") var binaries = GatewayUnderTest.builtBinaries.path
    @Flag(name: .customLong("s3"), help: "Keep the bucket in SeaweedFS instead of a directory.") var usesS3 = false
    @Flag(help: "With --s3: a proxy before SeaweedFS harms what passes, by plan and seed.") var faults = false
    @Option(help: "With --faults: a file with another plan (CONTRIBUTING.md).") var plan: String?
    @Flag(help: "Keep the gateway's directory.") var keep = false

    func validate() throws {
        if faults, !usesS3 { throw ValidationError("--faults needs --s3: there is no proxy before a directory") }
        if plan != nil, !faults { throw ValidationError("--plan needs --faults") }
    }

    func run() async throws {
        let bucket = usesS3 ? try await StoreUnderTest.start(plan: try faultPlan(), seed: seed) : nil
        let run = CrashRun(
            plan: CrashRun.Plan(
                kills: kills, seed: seed, initiators: initiators, blocks: blocks,
                binaries: URL(fileURLWithPath: binaries), keep: keep), bucket: bucket)
        let result = await Self.blocking { try run.perform() }
        await bucket?.stop()
        try result.get()
    }

    private func faultPlan() throws -> FaultPlan? {
        guard faults else { return nil }
        let text = try plan.map { try String(contentsOfFile: $0, encoding: .utf8) } ?? StoreUnderTest.harm
        say("faults of seed \(seed):\n\(text)")
        return try FaultPlan(text: text)
    }

    /// On a thread of its own: the proxy needs those of the concurrency runtime.
    private static func blocking(_ body: @escaping @Sendable () throws -> Void) async -> Result<Void, any Error> {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: Result(catching: body)) }
        }
    }
}

/// Prints at once, so that a log shows how far a long run got.
func say(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }
