// SPDX-License-Identifier: Apache-2.0
package import Bus
package import Messages

/// One service process of the gateway, as whoever wants to ask it sees it.
package struct ServiceEntry: Hashable, Sendable {
    package var kind: ServiceKind
    /// `cache-0` on this machine, `cache@172.18.0.3` on a network.
    package var name: String
    /// Where it answers requests; nil if nobody knows, because its name stands for no address now.
    package var endpoint: Endpoint?
    /// Where it takes I/O messages, if it is a service that does.
    package var dataEndpoint: Endpoint?
    /// It may be asked; it may still be starting, stopped, stuck, or on a network gone.
    package var isRunning: Bool
    /// Why not, if it is not running.
    package var absence: String
    /// nil on a network, or if the process wrote none.
    package var processID: Int32?
    /// The asking process itself.
    package var isOwn: Bool

    package init(
        kind: ServiceKind, name: String, endpoint: Endpoint?, dataEndpoint: Endpoint? = nil, isRunning: Bool = true,
        absence: String = "not running", processID: Int32? = nil, isOwn: Bool = false
    ) {
        self.kind = kind
        self.name = name
        self.endpoint = endpoint
        self.dataEndpoint = dataEndpoint
        self.isRunning = isRunning
        self.absence = absence
        self.processID = processID
        self.isOwn = isOwn
    }
}
