// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Glibc
import Messages
import Platform
import ServiceKit

struct StatusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show what is dirty, how old it is, and what each service does.",
        discussion: """
            Works when services are down, and says so. Exits with 0 if everything is ready, with 69 if not.

            Examples:
              sluice status --directory data
              sluice status --wait 30s                   return as soon as the gateway is ready
              sluice status --service cache --wait 2s    health check of what runs on this machine or in this container
            """)
    @Option(name: .long, help: "Only the services of this kind on this machine; needs no keys.")
    var service: ServiceKind?
    @Option(name: .long, help: "Ask again until everything is ready, for at most this long.")
    var wait: DurationArgument?
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let clock = ContinuousClock()
        let end = clock.now + (wait?.duration ?? .zero)
        // A gateway that is being made at this moment has no configuration yet.
        while clock.now < end, try gateway.loader.fileToRead().map(FileSystem.exists) == false {
            try await Task.sleep(for: .milliseconds(100))
        }
        let client = try GatewayClient(gateway, isLocal: service != nil)
        var status = await GatewayStatus.collect(from: client, only: service)
        while !status.isReady && clock.now < end {
            try await Task.sleep(for: .milliseconds(100))
            status = await GatewayStatus.collect(from: client, only: service)
        }
        try output.show(status.record(client), or: status.text())
        if !status.isReady { throw ExitCode(ServiceExitCode.unavailable.rawValue) }
    }
}

extension ServiceKind: ExpressibleByArgument {
    package init?(argument: String) { self.init(shortName: argument) }
}
