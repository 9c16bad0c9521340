// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Glibc
import Logging
import Messages
import Platform
import ServiceKit

struct Up: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run all services of a gateway on this machine, in the foreground.",
        discussion: """
            Services that die are started again; SIGTERM and Ctrl-C stop them in reverse order, each drained. Process \
            ids are in the run directory, one file a service.

            Examples:
              sluice up --directory data                 everything in data/, which is made if needed
              sluice up --config /etc/sluice/gateway.yaml
            """)
    @OptionGroup var gateway: GatewayOptions

    func run() throws {
        if let embedded = gateway.embedded { try embedded.create() }
        let loader = gateway.loader
        guard let file = try loader.fileToRead() else {
            throw ServiceFailure(
                .configuration,
                "no configuration: there is no \(GatewayConfiguration.defaultPath); use `sluice up --directory DIR` "
                    + "to run everything in one directory, or name a file with --config")
        }
        let configuration = try loader.load()
        guard configuration.busListen.address == nil else {
            throw ServiceFailure(
                .configuration,
                "bus.listen: `sluice up` runs all services on this machine, where they use Unix sockets and could not "
                    + "share one port; remove the key, or start each service by itself")
        }
        try configuration.checkDirectories(DirectoryUse.allCases)
        try configuration.checkMemory()
        let lock = try holdRunDirectory(RunDirectory(configuration.runDirectory))
        defer { close(lock) }
        let logger = ServiceLogging.bootstrap(label: "up", configuration)
        var supervisor = try Supervisor(
            programDirectory: ProcessEnvironment.programDirectory, configurationPath: file,
            overrides: gateway.configuration.overrides, logFormat: configuration.logFormat, logger: logger)
        logger.info("starting the gateway", metadata: ["configuration": "\(file)"])
        try supervisor.run()
    }

    /// One supervisor per run directory, and no services of an earlier one: two gateways on one journal would fight.
    private func holdRunDirectory(_ run: RunDirectory) throws -> Int32 {
        let file = run.path.appending("supervisor.lock")
        guard let lock = try run.lock(file) else {
            let process = RunDirectory.processID(file).map { " as process \($0)" } ?? ""
            throw ServiceFailure(.temporaryFailure, "a gateway already runs in \(run.path)\(process); stop it first")
        }
        let supervised = { try run.entries().filter { $0.isRunning && $0.kind != .cli } }
        // Services of a supervisor that was killed are stopping at this moment.
        for _ in 0..<300 where try !supervised().isEmpty { usleep(100_000) }
        let left = try supervised()
        guard left.isEmpty else {
            let names = left.map { "\($0.name) (process \($0.processID.map(String.init) ?? "?"))" }
            throw ServiceFailure(
                .temporaryFailure,
                "services of another start still run in \(run.path): \(names.joined(separator: ", ")); stop them first")
        }
        run.note(getpid(), in: lock)
        return lock
    }
}
