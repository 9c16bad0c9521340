// SPDX-License-Identifier: Apache-2.0
package import Bus
package import Logging
package import Messages
package import Platform
package import Wire

/// What a service's parts are built from: its settings, its name on this machine, its bus and its log.
package struct ServiceContext: Sendable {
    package let configuration: GatewayConfiguration
    package let runDirectory: RunDirectory
    /// Where the other services are.
    package let directory: ServiceDirectory
    /// Nil: this process does not speak over a network.
    package let keys: BusKeys?
    /// Addresses of `bus.listen`; none without it.
    package let listenAddresses: [SocketAddress]
    /// Held until the process ends.
    package let slot: RunSlot
    /// Drawn at the start of this process; a restarted service is another instance.
    package let instance: ServiceInstance
    package let logger: Logger
    /// Answers hello, health and metrics already; add handlers and metrics before the services run.
    package let bus: BusThread
    /// Not ready until the service says so.
    package let health: ServiceHealth
    package let startedAt: Timestamp

    package var kind: ServiceKind { slot.kind }
    package var process: ProcessMetrics {
        ProcessMetrics(startedAt: startedAt, restartCount: slot.restartCount)
    }
    /// Where the service answers requests: its socket in the run directory, and on the network if it listens there.
    package func endpoints() throws(BusError) -> [Endpoint] { try [slot.endpoint()] + network(portOffset: 0) }
    /// Where it takes I/O messages, for services that do.
    package func dataEndpoints() throws(BusError) -> [Endpoint] { try [slot.dataEndpoint()] + network(portOffset: 1) }

    private func network(portOffset: UInt16) throws(BusError) -> [Endpoint] {
        var endpoints: [Endpoint] = []
        for address in listenAddresses {
            let place = SocketAddress(host: address.host, port: address.port + portOffset)
            endpoints.append(try Endpoint(address: place, of: kind))
        }
        return endpoints
    }

    package var caller: BusCaller { BusCaller(bus) }
}
