// SPDX-License-Identifier: Apache-2.0
package import Engine
package import Messages
package import Wire

/// What all cache managers have promised at one moment.
package struct PendingList: Sendable {
    package struct Item: Sendable {
        package var owner: any VolumeOwner
        package var record: PendingSnapshot
        package var uploadByteCount: UInt64
        package var uploadedByteCount: UInt64
        package var waitingReason: String
        package var gateway: GatewayID
    }

    package var items: [SnapshotID: Item] = [:]
    /// Of this gateway, those that are being made included.
    package var volumes: Set<VolumeID> = []
    package var gateway: GatewayID?
    /// Every cache manager that runs has told all it has: what is not in the list is nowhere.
    package var isComplete = true

    private static let timeout = Duration.seconds(5)
    private var heldSlots: Set<UInt32> = []
    private var filledSlots: Set<UInt32> = []

    /// - Returns: what could be learnt; nothing that fails here keeps a snapshot from being listed.
    package static func read(_ owners: VolumeOwners) async -> PendingList {
        var list = PendingList()
        let all: [any VolumeOwner]
        do throws(BusFault) {
            all = try await owners()
        } catch {
            list.isComplete = false
            return list
        }
        for owner in all {
            do throws(BusFault) {
                try await list.add(owner)
            } catch {
                list.isComplete = false
            }
        }
        // What a cache manager that is gone had promised is in no list until another has adopted its slot.
        if !list.heldSlots.isSuperset(of: list.filledSlots) { list.isComplete = false }
        return list
    }

    private mutating func add(_ owner: any VolumeOwner) async throws(BusFault) {
        var reply = try await owner.ask(PendingSnapshotsRequest(), within: Self.timeout)
        gateway = reply.gateway
        let revision = reply.revision
        heldSlots.formUnion(reply.heldSlots ?? [])
        filledSlots.formUnion(reply.filledSlots ?? [])
        while true {
            volumes.formUnion(reply.volumes)
            // One that was begun after the first answer may be missing.
            if reply.revision != revision { isComplete = false }
            for description in reply.snapshots { add(description, of: owner, reply.gateway) }
            guard reply.hasMore, let last = reply.snapshots.last else { return }
            reply = try await owner.ask(PendingSnapshotsRequest(after: last.id), within: Self.timeout)
        }
    }

    package func isPending(_ id: SnapshotID) -> Bool { items[id].map { !$0.record.isDecided } ?? false }

    private mutating func add(
        _ description: PendingSnapshotDescription, of owner: any VolumeOwner, _ gateway: GatewayID
    ) {
        // A record of a newer cache manager waits for a newer snapshotter.
        guard let record = try? PendingSnapshotFormat.decode(description.record), record.id == description.id else {
            isComplete = false
            return
        }
        items[record.id] = Item(
            owner: owner, record: record, uploadByteCount: description.uploadByteCount,
            uploadedByteCount: description.uploadedByteCount, waitingReason: description.waitingReason,
            gateway: gateway)
    }
}

extension PendingList.Item {
    /// As lists show it before its record says how it ended.
    package var description: SnapshotDescription {
        var shown = SnapshotDescription(SnapshotRecord(record, gateway: gateway))
        guard record.failure == nil else { return shown }
        // With a HEAD in the bucket and no record of its own yet it is as good as there, and is not called so.
        shown.state = .pending
        shown.reason = waitingReason.isEmpty ? nil : waitingReason
        shown.uploadByteCount = uploadByteCount
        shown.uploadedByteCount = uploadedByteCount
        return shown
    }
}
