// SPDX-License-Identifier: Apache-2.0
import Engine
package import Messages
import SCSI
import Wire

/// Changing volumes while they are used, and what people do about reservations.
extension ControlHandler {
    package func change(
        _ request: VolumeChangeRequest, within timeout: Duration, answer: @escaping Answer<VolumeDescription>
    ) {
        attempt(answer) { () throws(BusFault) in
            let hosted = try volume(request.volume)
            let change = try headChange(request, of: hosted)
            let finish = call(within: timeout, answer) {
                "volume \(hosted.name) is not changed yet: \(self.whyWaiting(hosted)); it is as soon as the bucket "
                    + "answers"
            }
            guard let name = change.name else { return amend(hosted, change, finish) }
            var head = hosted.head
            head.name = name
            claim(head, finish) { end in self.amend(hosted, change, end) }
        }
    }

    private func headChange(_ request: VolumeChangeRequest, of hosted: HostedVolume) throws(BusFault) -> HeadChange {
        guard hosted.errand == .none else {
            throw BusFault(.inUse, "volume \(hosted.name) is being created or deleted; try again later")
        }
        var change = HeadChange()
        if let byteCount = request.byteCount {
            try admission.checkSize(byteCount)
            guard byteCount >= hosted.settings.byteCount else {
                throw BusFault(
                    .invalidArgument,
                    "volume \(hosted.name) has \(hosted.settings.byteCount >> 30) GiB and cannot become smaller; "
                        + "copy what is to stay to a new volume")
            }
            change.byteCount = byteCount
        }
        if let name = request.name, name != hosted.name {
            try checkName(name)
            // Registrations are of nexuses, and a nexus is named after its target.
            guard hosted.unit.server.state.persistentReservations.registrants.isEmpty else {
                throw BusFault(
                    .inUse,
                    "volume \(hosted.name) has persistent reservations, which would be lost with its target name; let "
                        + "the hosts unregister, or `sluice volume reservations \(hosted.name) --clear`")
            }
            change.name = name
            change.targetName = admission.targetName(name)
        }
        change.durability = request.durability.map(\.headText)
        change.isReadOnly = request.isReadOnly
        change.isSanitizeAllowed = request.allowsSanitize
        return change
    }

    private func amend(
        _ hosted: HostedVolume, _ change: HeadChange, _ finish: @escaping Answer<VolumeDescription>
    ) {
        shard.run(.amend(change), on: hosted) { result in
            finish(result.map { _ in self.describe(hosted) }.mapError { self.fault($0, hosted) })
        }
    }

    // MARK: Reservations

    package func reservations(
        _ request: VolumeReservationsRequest, answer: @escaping Answer<VolumeReservationsRequest.Reply>
    ) {
        attempt(answer) { () throws(BusFault) in
            let hosted = try volume(request.volume)
            guard hosted.unit.isLoaded else {
                let reason = hosted.problem ?? "its journal is still being recovered"
                throw BusFault(.notReady, "the reservations of volume \(hosted.name) are not known: \(reason)")
            }
            if request.clears { hosted.unit.server.clearReservations() }
            let state = hosted.unit.server.state
            shard.whenSaved(hosted) { answer(.success(VolumeReservationsRequest.Reply(state))) }
        }
    }
}

extension VolumeReservationsRequest.Reply {
    init(_ state: UnitState) {
        let reservations = state.persistentReservations
        self.init(
            generation: reservations.generation,
            registrants: reservations.registrants.map { registrant in
                VolumeReservationsRequest.Registrant(
                    initiatorPort: registrant.port, key: registrant.key.rawValue,
                    isHolder: reservations.isHolder(registrant.nexus),
                    isConnected: state.nexuses.attached[registrant.nexus] != nil)
            },
            type: reservations.reservation?.kind.rawValue,
            reservedBy: state.reservingNexus.map { state.nexuses.attached[$0]?.port ?? "\($0.rawValue)" })
    }
}
