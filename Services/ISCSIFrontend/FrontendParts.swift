// SPDX-License-Identifier: Apache-2.0
package import Bus
package import Logging
package import ServiceKit

/// What the frontend's loop is made from, gathered by the service before its thread starts.
package struct FrontendParts: Sendable {
    package var configuration: FrontendConfiguration
    package var identity: BusIdentity
    /// The cache manager's, for I/O.
    package var cacheEndpoint: Endpoint
    /// Ours, for health, metrics and sessions.
    package var controlEndpoint: Endpoint
    /// Listening sockets; the loop closes them.
    package var listeners: [Int32]
    package var context: BusContext
    package var health: ServiceHealth
    package var logger: Logger
    package init(
        configuration: FrontendConfiguration, identity: BusIdentity, cacheEndpoint: Endpoint,
        controlEndpoint: Endpoint, listeners: [Int32], context: BusContext, health: ServiceHealth, logger: Logger
    ) {
        self.configuration = configuration
        self.identity = identity
        self.cacheEndpoint = cacheEndpoint
        self.controlEndpoint = controlEndpoint
        self.listeners = listeners
        self.context = context
        self.health = health
        self.logger = logger
    }
}
