// SPDX-License-Identifier: Apache-2.0
package import Wire

/// Who sent a command, and which request of a frontend carried it: a request that comes again (its answer was lost, or
/// the owner was restarted) is the same command.
package struct CommandOrigin: Hashable, Sendable {
    package var nexus: NexusID
    package var frontend: ServiceInstance
    package var number: UInt64
    /// The frontend has the answers to every lower number and will not send them again.
    package var lowestOpenNumber: UInt64

    package init(nexus: NexusID, frontend: ServiceInstance, number: UInt64, lowestOpenNumber: UInt64) {
        self.nexus = nexus
        self.frontend = frontend
        self.number = number
        self.lowestOpenNumber = lowestOpenNumber
    }
}
