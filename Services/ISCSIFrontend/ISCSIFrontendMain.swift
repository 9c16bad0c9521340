// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Bus
import Logging
import Messages
import Platform
import ServiceKit
import ServiceLifecycle

/// `sluice-iscsi`: serves the volumes of the cache managers to iSCSI initiators, one target per volume. Its loop's
/// thread answers at the service's endpoint itself, because only that thread knows the sessions.
@main
struct ISCSIFrontendMain: ServiceCommand {
    static let kind = ServiceKind.iscsi
    static let directories: [DirectoryUse] = []
    static let bindsItsEndpoint = true
    static let configuration = commandConfiguration("Serve volumes to iSCSI initiators.")
    @OptionGroup var options: ConfigurationOptions

    func makeServices(_ context: ServiceContext) async throws -> [any Service] {
        try Failpoint.checkEnvironment()
        let configuration = FrontendConfiguration(context.configuration)
        let accessFile = try context.configuration.iscsiAccessFile.path.map {
            try AccessFile($0, logger: context.logger)
        }
        // Before anything is promised to anybody: a port in use ends the start with its reason.
        var listeners: [Int32] = []
        for address in configuration.listen {
            do throws(SystemError) {
                listeners += try TCPSocket.listen(host: address.host, port: address.port)
            } catch {
                throw ServiceFailure(cannotListen: error, key: "iscsi.listen")
            }
        }
        for listener in listeners {
            let address = SocketAddress.local(of: listener)?.description ?? "unknown"
            context.logger.info("listening", metadata: ["address": "\(address)"])
        }
        let places = try CacheManagerPlaces(context.directory, context.runDirectory)
        // So that the loop finds names looked up when it asks; it goes on asking without them.
        _ = try? await context.directory.entries(of: .cache)
        let frontend = try FrontendService(
            FrontendParts(
                configuration: configuration,
                identity: BusIdentity(
                    service: Self.kind, instance: context.instance, softwareVersion: SoftwareVersion.current),
                locateCaches: { places.endpoints }, access: { accessFile?.current ?? AccessRules() },
                controlEndpoints: try context.endpoints(), listeners: listeners,
                context: try BusContext(keys: context.keys, logger: context.logger), health: context.health,
                process: context.process, logger: context.logger))
        return [accessFile, frontend].compactMap { (service: (any Service)?) in service }
    }
}
