// SPDX-License-Identifier: Apache-2.0
import SCSI
import Wire

/// The units that an initiator may name in EXTENDED COPY: the one that it sends the command to, and those of this cache
/// manager that it is logged in to as well, which proves that it may use them.
struct CopyTargets {
    private var targets: [VolumeID: CopyTarget] = [:]

    init(of nexus: NexusID, on own: HostedVolume, among all: some Collection<HostedVolume>) {
        let initiator = own.unit.server.initiatorName(of: nexus)
        for hosted in all {
            let server = hosted.unit.server
            guard hosted === own || initiator.map(server.isLoggedIn) ?? false else { continue }
            targets[hosted.id] = CopyTarget(
                volume: hosted.id, sectorCount: server.unit.sectorCount, blockSize: server.unit.blockSize)
        }
    }

    subscript(volume: VolumeID) -> CopyTarget? { targets[volume] }
}
