// SPDX-License-Identifier: Apache-2.0
package import Engine
import Messages
package import Wire

/// Somebody here waits for a volume that another gateway owns by lease: a standby, callers of `volume attach`, or both.
/// Owned by the control handler.
final class LeaseTaker {
    struct Caller {
        /// When it is told that this takes too long; nothing is taken for it after that.
        var deadline: UInt64
        var finish: ControlHandler.Answer<VolumeDescription>
    }

    let volume: VolumeID
    var watch = LeaseWatch()
    /// The intention that outlives this process.
    var standby: Standby?
    var callers: [Caller] = []
    /// The volume is being opened here.
    var isTaking = false
    /// Why it does not get on, for people.
    var problem = ""
    /// What the log has been told already; it goes on for as long as the reason is the same.
    var reportedProblem = ""

    init(_ volume: VolumeID) { self.volume = volume }

    var isWanted: Bool { standby != nil || !callers.isEmpty }

    /// HEAD as of the newest look, or of when the standby was made.
    var head: Head? { watch.known?.stored.head ?? standby?.head }

    func answer(_ result: Result<VolumeDescription, BusFault>) {
        let waiting = callers
        callers = []
        for caller in waiting { caller.finish(result) }
    }
}

/// What becomes of a standby, for the log.
package enum StandbyReport: Sendable, Equatable {
    /// The lease ran out, or its owner let go.
    case taking(owner: GatewayID, isHandedOver: Bool)
    case taken(generation: Generation)
    /// Somebody else wrote HEAD first.
    case lostRace
    case cannotTake(String)
    case volumeDeleted
}
