// SPDX-License-Identifier: Apache-2.0
package import Bus
package import Logging
package import Messages
package import Wire

/// What a service's parts are built from: its settings, its name on this machine, its bus and its log.
package struct ServiceContext: Sendable {
    package let configuration: GatewayConfiguration
    package let runDirectory: RunDirectory
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
    package var caller: BusCaller { BusCaller(bus) }
}
