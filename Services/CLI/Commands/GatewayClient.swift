// SPDX-License-Identifier: Apache-2.0
import Bus
import Logging
import Messages
import Platform
import ServiceKit
import Wire

/// Asks the services of the gateway that the options name.
struct GatewayClient {
    let configuration: GatewayConfiguration
    let directory: ServiceDirectory
    private let caller: any ServiceCaller

    /// `--directory`, as messages repeat it.
    private let hint: String

    /// - Parameter isLocal: only the services of this machine, over their Unix sockets, so that no keys are needed.
    init(_ options: GatewayOptions, isLocal: Bool = false) throws {
        configuration = try options.loadExisting()
        let runDirectory = RunDirectory(configuration.runDirectory)
        directory = isLocal ? ServiceDirectory(runDirectory) : ServiceDirectory(configuration)
        let isNetwork = directory.isNetwork
        // People see errors as messages, not as log lines.
        let logger = Logger(label: "sluice") { _ in SwiftLogNoOpLogHandler() }
        let identity = BusIdentity(
            service: .cli, instance: ServiceInstance(rawValue: .random(in: 1 ... .max)),
            softwareVersion: SoftwareVersion.current)
        let keys = isNetwork ? try configuration.busKeys(of: .cli) : nil
        caller = BusCaller(try BusThread(identity: identity, keys: keys, logger: logger))
        hint = options.directory.map { "sluice up --directory \($0)" } ?? "sluice up"
    }

    /// The processes of the gateway. A missing run directory means that it never ran here.
    func entries() async throws -> [ServiceEntry] {
        guard directory.isNetwork || FileSystem.exists(configuration.runDirectory.path) else { return [] }
        return try await directory.entries()
    }

    /// Asks the first running service of a kind of which all do the same.
    func ask<Request: BusRequest>(
        _ kind: ServiceKind, _ request: Request, timeout: Duration = .seconds(30)
    ) async throws -> Request.Reply {
        try await ask(try await running(kind)[0], request, timeout: timeout)
    }

    /// The running services of a kind, at least one.
    func running(_ kind: ServiceKind) async throws -> [ServiceEntry] {
        let running = try await entries().filter { $0.kind == kind && $0.isRunning }
        guard !running.isEmpty else {
            throw ServiceFailure(
                .unavailable,
                "no \(kind.executableName) runs \(directory.description); start the gateway with `\(hint)`, or name "
                    + "the one you mean with --directory or --config")
        }
        return running
    }

    func ask<Request: BusRequest>(
        _ entry: ServiceEntry, _ request: Request, timeout: Duration
    ) async throws -> Request.Reply {
        do throws(BusFault) {
            return try await caller.call(request, at: entry, timeout: timeout)
        } catch {
            guard error.code == .deadlineExceeded else { throw error }
            let process = entry.processID.map { " (process \($0))" } ?? ""
            throw ServiceFailure(
                .temporaryFailure,
                "\(entry.name)\(process): not done within \(timeout.configurationText): \(error.message); "
                    + "`sluice status` shows what each service does")
        }
    }

    func record(_ volume: VolumeDescription) -> VolumeOutput {
        let advertised = configuration.iscsiAdvertise
        return VolumeOutput(volume, portals: advertised.isEmpty ? configuration.iscsiListen : advertised)
    }
}
