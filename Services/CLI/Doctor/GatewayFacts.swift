// SPDX-License-Identifier: Apache-2.0
package import Messages
import Platform
package import ServiceKit

/// What `sluice doctor` judges by: how the gateway is configured, what its services say of themselves, and what this
/// machine's disks have left.
package struct GatewayFacts: Sendable {
    package struct Service: Sendable {
        package var name: String
        package var kind: ServiceKind
        /// It is there; on a network nobody knows before it answers.
        package var isRunning: Bool
        /// nil: it does not answer.
        package var health: HealthRequest.Reply?
        /// Why not, for people.
        package var silence: String
        package init(
            name: String, kind: ServiceKind, isRunning: Bool = true, health: HealthRequest.Reply?, silence: String = ""
        ) {
            self.name = name
            self.kind = kind
            self.isRunning = isRunning
            self.health = health
            self.silence = silence
        }
    }

    /// A directory of the configuration on this machine.
    package struct Disk: Sendable {
        package var key: String
        package var path: String
        package var space: FileSystemSpace
        package init(key: String, path: String, space: FileSystemSpace) {
            self.key = key
            self.path = path
            self.space = space
        }
    }

    package var softwareVersion: String
    package var configurationProblems: [String] = []
    package var services: [Service] = []
    /// By the cache manager's name; those that do not answer are missing.
    package var volumes: [String: [VolumeDescription]] = [:]
    package var caches: [String: CacheDescription] = [:]
    /// nil: no snapshotter answers.
    package var snapshots: [SnapshotDescription]?
    package var disks: [Disk] = []

    package init(softwareVersion: String) { self.softwareVersion = softwareVersion }
}

extension GatewayFacts {
    private static let timeout = Duration.seconds(3)

    /// Asks everybody at once; whoever is silent is a fact, too.
    static func collect(from client: GatewayClient) async -> GatewayFacts {
        let configuration = client.configuration
        var facts = GatewayFacts(softwareVersion: SoftwareVersion.current)
        facts.disks = disks(of: configuration)
        let entries: [ServiceEntry]
        do {
            entries = try await client.entries()
        } catch {
            facts.configurationProblems.append(ServiceFailure(describing: error).message)
            return facts
        }
        facts.services = await withTaskGroup(of: Service.self) { group in
            for entry in entries where entry.kind != .cli { group.addTask { await service(entry, client) } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        for kind in ServiceKind.supervised where !facts.services.contains(where: { $0.kind == kind }) {
            facts.services.append(
                Service(
                    name: kind.shortName, kind: kind, isRunning: false, health: nil,
                    silence: client.directory.absence(of: kind)))
        }
        facts.services.sort { ($0.kind.rawValue, $0.name) < ($1.kind.rawValue, $1.name) }
        // Those that are silent have cost their time above.
        let answering = Set(facts.services.filter { $0.health != nil }.map(\.name))
        for entry in entries where answering.contains(entry.name) {
            switch entry.kind {
            case .cache:
                facts.volumes[entry.name] = try? await client.ask(entry, VolumeListRequest(), timeout: timeout).volumes
                facts.caches[entry.name] = try? await client.ask(entry, CacheShowRequest(), timeout: timeout)
            case .snapshotter where facts.snapshots == nil:
                facts.snapshots = try? await client.ask(entry, SnapshotListRequest(), timeout: timeout).snapshots
            case .iscsi, .uploader, .snapshotter, .exporter, .control, .cli: break
            }
        }
        return facts
    }

    private static func service(_ entry: ServiceEntry, _ client: GatewayClient) async -> Service {
        guard entry.isRunning else {
            return Service(
                name: entry.name, kind: entry.kind, isRunning: false, health: nil, silence: entry.absence)
        }
        do {
            let health = try await client.ask(entry, HealthRequest(), timeout: timeout)
            return Service(name: entry.name, kind: entry.kind, health: health)
        } catch {
            return Service(
                name: entry.name, kind: entry.kind, health: nil, silence: ServiceFailure(describing: error).message)
        }
    }

    /// Of directories that are not on this machine nothing is known.
    private static func disks(of configuration: GatewayConfiguration) -> [Disk] {
        let places =
            [("state.directory", configuration.stateDirectory.path)]
            + configuration.journalDirectories.map { ("journal.directories", $0.path) }
            + configuration.cacheDirectories.map { ("cache.directories", $0.path) }
        return places.compactMap { key, path in
            FileSystem.space(of: path).map { Disk(key: key, path: path, space: $0) }
        }
    }
}
