// SPDX-License-Identifier: Apache-2.0
package import ArgumentParser
import Bus
import Logging
package import Messages
import Platform
package import ServiceLifecycle
import UnixSignals
import Wire

/// The executable of one service. It says what it is and which parts it has; this frame does the rest: configuration,
/// directories, its slot in the run directory, log, bus, signals, and an exit status that says why.
package protocol ServiceCommand: AsyncParsableCommand {
    static var kind: ServiceKind { get }
    /// What it uses besides the run directory; checked before anything else.
    static var directories: [DirectoryUse] { get }
    var options: ConfigurationOptions { get }
    /// True for a service whose own thread answers at its endpoint, instead of the bus thread.
    static var bindsItsEndpoint: Bool { get }
    /// Builds the parts, adds their handlers to the bus and returns those that run. They are started in this order
    /// and stopped in reverse.
    func makeServices(_ context: ServiceContext) async throws -> [any Service]
}

extension ServiceCommand {
    package static var bindsItsEndpoint: Bool { false }

    package static func main() async { await CommandLineProgram.run(Self.self) }

    package static func commandConfiguration(_ abstract: String) -> CommandConfiguration {
        CommandConfiguration(
            commandName: kind.executableName, abstract: abstract,
            discussion: """
                All services of a gateway read the same configuration; `sluice config keys` lists what can be set. \
                SIGTERM and SIGINT stop the service after what it has begun.
                """,
            version: SoftwareVersion.current)
    }

    package mutating func run() async throws {
        Signals.ignoreBrokenPipes()
        // Before anything that may wait: a gateway without its supervisor would be in the way of the next one.
        try SupervisorWatch.begin()
        ProcessMemory.keepFreedBuffers()
        let configuration = try options.loader.load()
        try configuration.checkDirectories([.run] + Self.directories)
        let keys = try configuration.busKeys(of: Self.kind)
        let listenAddresses = try ServiceProcess.listenAddresses(configuration)
        let runDirectory = RunDirectory(configuration.runDirectory)
        let slot = try runDirectory.claim(Self.kind)
        let logger = ServiceLogging.bootstrap(label: slot.name, configuration)
        let instance = ServiceInstance(rawValue: .random(in: 1 ... .max))
        let identity = BusIdentity(
            service: Self.kind, instance: instance, softwareVersion: SoftwareVersion.current)
        let context = ServiceContext(
            configuration: configuration, runDirectory: runDirectory,
            directory: ServiceDirectory(
                configuration,
                own: .init(slotName: slot.name, kind: Self.kind, port: configuration.busListen.address?.port)),
            keys: keys, listenAddresses: listenAddresses, slot: slot, instance: instance, logger: logger,
            bus: try BusThread(identity: identity, keys: keys, logger: logger), health: ServiceHealth(),
            startedAt: .now())
        logger.info(
            "starting", metadata: ["version": "\(SoftwareVersion.current)", "instance": "\(instance)"])
        do {
            try await ServiceProcess.run(self, context)
        } catch {
            let failure = ServiceFailure(describing: error)
            logger.critical("ended", metadata: ["reason": "\(failure.message)"])
            throw failure
        }
        logger.info("stopped")
        slot.release()
    }
}

/// What every service process does the same way.
private enum ServiceProcess {
    /// Less than the supervisor's patience, so that a service that cannot drain says so itself.
    static let drainTime = Duration.seconds(20)

    /// Looked up once: a service listens on addresses of its own machine.
    static func listenAddresses(_ configuration: GatewayConfiguration) throws -> [SocketAddress] {
        guard let listen = configuration.busListen.address else { return [] }
        do {
            return try SocketAddress.resolve(host: listen.host, port: listen.port)
        } catch {
            let reason =
                switch error {
                case .unknownName(let reason), .temporary(let reason): reason
                }
            throw ServiceFailure(
                .configuration, "bus.listen: \(listen) has no address: \(reason); set it to one of this machine")
        }
    }

    static func run(_ command: some ServiceCommand, _ context: ServiceContext) async throws {
        let (bus, health, process) = (context.bus, context.health, context.process)
        bus.provideHealth {
            let state = health.current
            return BusThread.HealthState(isReady: state.isReady, detail: state.detail)
        }
        bus.provideMetrics { process.families }
        let parts: [any Service]
        do {
            parts = try await command.makeServices(context)
            if !type(of: command).bindsItsEndpoint {
                for endpoint in try context.endpoints() { try await bus.bind(endpoint) }
            }
        } catch {
            await bus.close()
            throw error
        }
        var group = ServiceGroupConfiguration(
            services: [BusService(bus: bus)] + parts, gracefulShutdownSignals: [.sigterm, .sigint],
            logger: context.logger)
        group.maximumGracefulShutdownDuration = drainTime
        group.maximumCancellationDuration = .seconds(5)
        do {
            try await ServiceGroup(configuration: group).run()
        } catch let error as ServiceGroupError where error == .serviceFinishedUnexpectedly() {
            throw ServiceFailure(.software, "a part of the service ended by itself; its last log lines say why")
        }
    }
}
