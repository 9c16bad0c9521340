// SPDX-License-Identifier: Apache-2.0
import Engine
import Wire

/// One run of one frontend process: numbers its commands, keeps them until they are answered and sends all unanswered
/// ones again, in order, whenever the engine or the connection was gone.
struct SimulatedFrontend {
    let instance: ServiceInstance
    /// The gateway it talks to.
    let gateway: Int
    let depth: Int
    var nextNumber: UInt64 = 1
    /// The session that new commands belong to; a barrier closes one and opens the next.
    var nexus: UInt64 = 1
    /// Unanswered commands of the ledger, in the order of their numbers.
    var open: [Int] = []
    /// Barriers that were sent and have not been passed.
    var barriers: [(nexus: UInt64, commands: [Int])] = []
    /// Counts connections: what travels on an old one is lost.
    var connection = 0
    /// A connection delivers in order.
    var lastArrival: UInt64 = 0
    var lastReply: UInt64 = 0
    var isAlive = true
    var pausedUntil: UInt64 = 0
    var isWakeScheduled = false
    /// Reads whole images after recoveries; issues nothing else.
    let isAuditor: Bool

    /// Lower numbers are answered and will not come again.
    func lowestOpenNumber(_ ledger: CommandLedger) -> UInt64 {
        open.first.map { ledger[$0].origin.number } ?? nextNumber
    }
}
