// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Messages
import ServiceKit

struct VolumeWarm: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "warm",
        abstract: "Fetch a volume's data from the bucket into the read cache, before anybody reads it.",
        discussion: """
            Runs in the background, behind all reads that somebody waits for, and ends when the cache is full: nothing
            that is in it is given up. What the bucket does not give for the moment is waited for. `sluice volume show`
            tells how far it has come. With --wait the exit status is 75 if not everything is in the cache at the end.

            Examples:
              sluice volume warm db --wait
              sluice volume warm db --offset 10GiB --length 2GiB
              sluice volume warm db --cancel
            """)
    @Argument(help: "Name or id.") var volume: String
    @Option(name: .long, help: "Where to begin in the volume (default: its start).") var offset: ByteSize?
    @Option(name: .long, help: "How much of it (default: up to its end).") var length: ByteSize?
    @Flag(name: .long, help: "Stop what is under way.") var cancel = false
    @Flag(name: .long, help: "Return when it has ended.") var wait = false
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        if cancel && (offset != nil || length != nil || wait) {
            throw ValidationError("--cancel stops what is under way and takes no range")
        }
    }

    func run() async throws {
        let client = try GatewayClient(gateway)
        let request = VolumeWarmRequest(
            volume: VolumeReference(volume), byteOffset: offset?.byteCount, byteCount: length?.byteCount,
            isCancelled: cancel)
        var warmed = try await client.ask(about: volume, request)
        while wait, warmed.reads?.warming?.isRunning == true {
            try await Task.sleep(for: .seconds(1))
            let volumes = try await client.volumes()
            guard let now = volumes.known.first(where: { $0.id == warmed.id }) else {
                if let problem = volumes.problem { throw problem }
                throw ServiceFailure(.badData, "volume \(warmed.name) is gone")
            }
            warmed = now
        }
        let text = VolumeOutput.Warming(warmed.reads?.warming)?.text ?? "was not being warmed"
        try output.show(client.record(warmed), or: "\(warmed.name): \(text)\n")
        if wait, let problem = warmed.reads?.warming?.problem {
            throw ServiceFailure(.temporaryFailure, "volume \(warmed.name) is not in the cache as a whole: \(problem)")
        }
    }
}
