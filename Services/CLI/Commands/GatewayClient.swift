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
    let runDirectory: RunDirectory
    private let caller: any ServiceCaller

    /// `--directory`, as messages repeat it.
    private let hint: String

    init(_ options: GatewayOptions) throws {
        configuration = try options.loadExisting()
        runDirectory = RunDirectory(configuration.runDirectory)
        // People see errors as messages, not as log lines.
        let logger = Logger(label: "sluice") { _ in SwiftLogNoOpLogHandler() }
        let identity = BusIdentity(
            service: .cli, instance: ServiceInstance(rawValue: .random(in: 1 ... .max)),
            softwareVersion: SoftwareVersion.current)
        caller = BusCaller(try BusThread(identity: identity, logger: logger))
        hint = options.directory.map { "sluice up --directory \($0)" } ?? "sluice up"
    }

    /// The processes of the gateway. A missing run directory means that it never ran here.
    func entries() throws -> [RunDirectory.Entry] {
        guard FileSystem.exists(runDirectory.path.path) else { return [] }
        return try runDirectory.entries()
    }

    /// Asks the first running service of a kind.
    func ask<Request: BusRequest>(
        _ kind: ServiceKind, _ request: Request, timeout: Duration = .seconds(30)
    ) async throws -> Request.Reply {
        guard let entry = try entries().first(where: { $0.kind == kind && $0.isRunning }) else {
            throw ServiceFailure(
                .unavailable,
                "no \(kind.executableName) runs in \(runDirectory.path); start the gateway with `\(hint)`, or name "
                    + "the one you mean with --directory or --config")
        }
        return try await ask(entry, request, timeout: timeout)
    }

    func ask<Request: BusRequest>(
        _ entry: RunDirectory.Entry, _ request: Request, timeout: Duration
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
        VolumeOutput(volume, portals: configuration.iscsiListen)
    }
}
