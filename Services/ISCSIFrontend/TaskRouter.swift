// SPDX-License-Identifier: Apache-2.0
import Bus
import Messages
import Platform
import SCSI
import Wire

/// Turns what SCSI commands want of a volume into requests to its cache manager.
struct TaskRouter {
    let link: CacheLink
    let volume: VolumeID
    let nexus: UInt64

    /// - Parameter payload: what the operation takes, whole sectors; shared with the bus until it is answered.
    func submit(
        _ kind: MediumOperation.Kind, _ sectors: SectorRange, of operation: MediumOperation, payload: IOBuffer?,
        owner: RequestOwner
    ) {
        var flags: IORequest.Flags = []
        if operation.forceUnitAccess { flags.insert(.forceUnitAccess) }
        if operation.disablePageOut { flags.insert(.disablePageOut) }
        submit(IORequest.Operation(kind), sectors, flags, payload: payload, owner: owner)
    }

    /// 16 bytes per range: start sector (8), sector count (4), zero (4).
    func submit(_ unmap: UnmapOperation, owner: RequestOwner) {
        let payload = IOBuffer(byteCount: 16 * unmap.ranges.count)
        for (index, range) in unmap.ranges.enumerated() {
            payload.store(range.start, at: 16 * index)
            payload.store(range.count, at: 16 * index + 8)
            payload.store(UInt32(0), at: 16 * index + 12)
        }
        let nothing = SectorRange(start: 0, count: 0)
        submit(.unmap, nothing, [], payload: payload, owner: owner)
    }

    /// For the unit's device server: the payload begins with the CDB.
    func submit(_ operation: IORequest.Operation, _ sectors: SectorRange, payload: IOBuffer, owner: RequestOwner) {
        submit(operation, sectors, [], payload: payload, owner: owner)
    }

    private func submit(
        _ operation: IORequest.Operation, _ sectors: SectorRange, _ flags: IORequest.Flags, payload: IOBuffer?,
        owner: RequestOwner
    ) {
        // Identity and deadline are the link's.
        let request = IORequest(
            volume: volume, frontend: ServiceInstance(rawValue: 0), number: 0, lowestOpenNumber: 0,
            deadlineMilliseconds: 0, nexus: nexus, operation: operation, flags: flags, sectors: sectors,
            payloadByteCount: UInt32(payload?.byteCount ?? 0))
        link.submit(request, payload: payload, owner: owner)
    }
}
