// SPDX-License-Identifier: Apache-2.0
package import Bus
package import Logging
package import ServiceKit

/// What the frontend's loop is made from, gathered by the service before its thread starts.
package struct FrontendParts: Sendable {
    package var configuration: FrontendConfiguration
    package var identity: BusIdentity
    /// Says where the cache managers take I/O now, without waiting.
    package var locateCaches: @Sendable () -> [Endpoint]
    /// Who may log in, as it is now, without waiting.
    package var access: @Sendable () -> AccessRules
    /// Ours, for health, metrics and sessions.
    package var controlEndpoints: [Endpoint]
    /// Listening sockets; the loop closes them.
    package var listeners: [Int32]
    package var context: BusContext
    package var health: ServiceHealth
    package var process: ProcessMetrics
    package var logger: Logger
    package init(
        configuration: FrontendConfiguration, identity: BusIdentity, locateCaches: @escaping @Sendable () -> [Endpoint],
        access: @escaping @Sendable () -> AccessRules = { AccessRules() }, controlEndpoints: [Endpoint],
        listeners: [Int32], context: BusContext, health: ServiceHealth,
        process: ProcessMetrics, logger: Logger
    ) {
        self.configuration = configuration
        self.identity = identity
        self.locateCaches = locateCaches
        self.access = access
        self.controlEndpoints = controlEndpoints
        self.listeners = listeners
        self.context = context
        self.health = health
        self.process = process
        self.logger = logger
    }
}
