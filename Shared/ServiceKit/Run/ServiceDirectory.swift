// SPDX-License-Identifier: Apache-2.0
import Bus
package import Messages
package import Platform

/// Where the services of the gateway are: what the run directory of this machine shows, or what the names in
/// `bus.services` stand for. From any thread.
package struct ServiceDirectory: Sendable {
    package typealias Resolver =
        @Sendable (ListenAddress) throws(SocketAddress.ResolutionFailure) -> [SocketAddress]

    private enum Source: Sendable {
        case machine(RunDirectory)
        case network([ServiceName])
    }

    /// How the asking process recognises itself.
    package struct Own: Sendable {
        package var slotName: String
        package var kind: ServiceKind
        package var port: UInt16?
        package init(slotName: String, kind: ServiceKind, port: UInt16?) {
            self.slotName = slotName
            self.kind = kind
            self.port = port
        }
    }

    /// Longer than a name server needs, and short for whoever waits.
    package static let patience = Duration.seconds(2)

    private let source: Source
    private let own: Own?

    package init(_ configuration: GatewayConfiguration, own: Own? = nil) {
        if configuration.busServices.isEmpty {
            self.init(RunDirectory(configuration.runDirectory), own: own)
        } else {
            self.init(configuration.busServices, own: own)
        }
    }

    package init(_ directory: RunDirectory, own: Own? = nil) {
        source = .machine(directory)
        self.own = own
    }

    package init(
        _ places: [ServicePlace], own: Own? = nil, resolver: @escaping Resolver = Self.resolve,
        now: @escaping @Sendable () -> MonotonicInstant = { MonotonicClock.now() }
    ) {
        source = .network(places.map { ServiceName($0, resolver: resolver, now: now) })
        self.own = own
    }

    /// For messages: where one looked.
    package var description: String {
        switch source {
        case .machine(let directory): "in \(directory.path)"
        case .network(let names): "at " + names.map { $0.place.configurationText }.joined(separator: ", ")
        }
    }

    package var isNetwork: Bool { if case .network = source { true } else { false } }

    /// What a kind without any process is said to be.
    package func absence(of kind: ServiceKind) -> String {
        guard case .network(let names) = source, !names.contains(where: { $0.place.kind == kind }) else {
            return "not running"
        }
        return "not named in bus.services"
    }

    // MARK: Entries

    /// By kind and name. Waits for names that were not looked up within the last seconds, for at most `patience`; then
    /// what is known from before counts.
    /// - Parameter kind: nil: all kinds.
    package func entries(
        of kind: ServiceKind? = nil, patience: Duration = Self.patience
    ) async throws(SystemError) -> [ServiceEntry] {
        if case .network(let all) = source {
            let names = all.filter { kind == nil || $0.place.kind == kind }
            let end = ContinuousClock.now + patience
            for name in names { name.refresh() }
            while names.contains(where: { $0.isWorthWaiting(patience) }), ContinuousClock.now < end, !Task.isCancelled {
                try? await Task.sleep(for: .milliseconds(5))
            }
        }
        return try current(of: kind)
    }

    /// What is known at this moment, without waiting for a name server; lets old knowledge be renewed.
    package func current(of kind: ServiceKind? = nil) throws(SystemError) -> [ServiceEntry] {
        switch source {
        case .machine(let directory): try directory.entries().filter { kind == nil || $0.kind == kind }.map(entry)
        case .network(let names): entries(of: names.filter { kind == nil || $0.place.kind == kind })
        }
    }

    private func entry(_ slot: RunDirectory.Entry) -> ServiceEntry {
        ServiceEntry(
            kind: slot.kind, name: slot.name, endpoint: try? slot.endpoint(), dataEndpoint: try? slot.dataEndpoint(),
            isRunning: slot.isRunning, processID: slot.processID, isOwn: slot.name == own?.slotName)
    }

    private func entries(of names: [ServiceName]) -> [ServiceEntry] {
        var found: [ServiceKind: Set<SocketAddress>] = [:]
        var entries: [ServiceEntry] = []
        for name in names {
            name.refresh()
            let (addresses, problem) = name.known
            found[name.place.kind, default: []].formUnion(addresses)
            guard addresses.isEmpty else { continue }
            entries.append(
                ServiceEntry(
                    kind: name.place.kind, name: "\(name.place.kind.shortName)@\(name.place.address.host)",
                    endpoint: nil, isRunning: false, absence: "\(name.place.address.host) has no address: \(problem)"))
        }
        for (kind, addresses) in found {
            for address in addresses {
                let isAlone = !addresses.contains { $0.host == address.host && $0.port != address.port }
                entries.append(entry(kind, address, name: isAlone ? address.host : address.description))
            }
        }
        return entries.sorted { ($0.kind.rawValue, $0.name) < ($1.kind.rawValue, $1.name) }
    }

    private func entry(_ kind: ServiceKind, _ address: SocketAddress, name: String) -> ServiceEntry {
        var data: Endpoint?
        if kind == .cache, address.port < .max {
            data = try? Endpoint(address: SocketAddress(host: address.host, port: address.port + 1), of: kind)
        }
        let isOwn = own.map { $0.kind == kind && $0.port == address.port && address.isOfThisMachine } ?? false
        return ServiceEntry(
            kind: kind, name: "\(kind.shortName)@\(name)", endpoint: try? Endpoint(address: address, of: kind),
            dataEndpoint: data, isOwn: isOwn)
    }

    /// All addresses of one family: a service that has both kinds would else be there twice.
    package static func resolve(
        _ address: ListenAddress
    ) throws(SocketAddress.ResolutionFailure) -> [SocketAddress] {
        let all = try SocketAddress.resolve(host: address.host, port: address.port)
        let short = all.filter { !$0.isIPv6 }
        return short.isEmpty ? all : short
    }
}
