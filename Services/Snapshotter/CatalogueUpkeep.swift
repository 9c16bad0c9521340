// SPDX-License-Identifier: Apache-2.0
import Engine
package import Messages
import Wire

/// What has to be put right in the records now and then (STORAGE §7): pins of clones that were made, were never made,
/// or are gone with all that was made of them; internal snapshots that nobody pins any more; snapshots that were
/// promised by a cache manager that lost its state.
package struct CatalogueUpkeep: Sendable {
    /// A clone's HEAD that was not created for so long never will be.
    static let graceMilliseconds: UInt64 = 3_600_000
    /// A promise is in the cache manager's list before its record is in the bucket.
    static let orphanMilliseconds: UInt64 = 60_000

    private let catalogue: SnapshotCatalogue
    private let recoveryPoints: RecoveryPoints
    private let owners: VolumeOwners
    private let wallMilliseconds: @Sendable () -> UInt64

    package init(
        catalogue: SnapshotCatalogue, recoveryPoints: RecoveryPoints, owners: @escaping VolumeOwners,
        wallMilliseconds: @escaping @Sendable () -> UInt64
    ) {
        self.catalogue = catalogue
        self.recoveryPoints = recoveryPoints
        self.owners = owners
        self.wallMilliseconds = wallMilliseconds
    }

    /// Everything that one look decides with.
    private struct View {
        var pending: PendingList
        var records: [SnapshotRecord]
        var heads: [VolumeID: Head?] = [:]
    }

    /// - Returns: how many records were changed.
    @discardableResult
    package func run() async throws(BusFault) -> Int {
        // The promises first: what is settled in between is found in the records.
        let pending = await PendingList.read(owners)
        let records = try await catalogue.entries().compactMap { entry in
            if case .record(let record) = entry { record } else { nil }
        }
        var view = View(pending: pending, records: records)
        var changes = 0
        for record in records {
            if isOrphan(record, view) {
                try await catalogue.change(record.id) { record in
                    guard record.state == .pending else { return false }
                    record.state = .error
                    record.reason = "the gateway lost what it knew of it before it was in the bucket"
                    return true
                }
                changes += 1
            }
            for pin in record.pinList where try await look(at: pin, of: record, &view) { changes += 1 }
            if record.gateway == pending.gateway, try await retire(record) { changes += 1 }
        }
        return changes
    }

    private func isOrphan(_ record: SnapshotRecord, _ view: View) -> Bool {
        record.state == .pending && record.gateway != nil && record.gateway == view.pending.gateway
            && view.pending.isComplete && view.pending.items[record.id] == nil
            && isOlder(record.createdMilliseconds, than: Self.orphanMilliseconds)
    }

    /// - Returns: whether the pin was changed.
    private func look(
        at pin: SnapshotPin, of record: SnapshotRecord, _ view: inout View
    ) async throws(BusFault) -> Bool {
        if view.heads[pin.volume] == nil {
            view.heads[pin.volume] = .some(try await recoveryPoints.head(of: pin.volume))
        }
        guard let head = view.heads[pin.volume] ?? nil else {
            // Only who set it knows that nothing of it is under way any more; a HEAD that was there never vanishes.
            let isOurs = pin.gateway == view.pending.gateway && view.pending.isComplete
            guard pin.state == .pending, isOurs, !view.pending.volumes.contains(pin.volume),
                isOlder(pin.createdMilliseconds, than: Self.graceMilliseconds)
            else { return false }
            try await catalogue.change(record.id) { $0.removePin(of: pin.volume) }
            return true
        }
        switch head.state {
        case .live:
            guard pin.state == .pending else { return false }
            try await catalogue.change(record.id) { $0.activatePin(of: pin.volume) }
            return true
        case .deleted:
            // Its snapshots name the same packs: the claim stands until the last of them is gone.
            let hasRoots =
                view.records.contains {
                    $0.volume == pin.volume && ($0.state == .completed || $0.state == .pending)
                }
                || view.pending.items.values.contains { $0.record.volume == pin.volume }
            guard !hasRoots, head.owner == view.pending.gateway else { return false }
            try await catalogue.change(record.id) { $0.removePin(of: pin.volume) }
            return true
        }
    }

    /// Nobody sees an internal snapshot, so nobody would delete it.
    /// - Returns: whether it was.
    private func retire(_ record: SnapshotRecord) async throws(BusFault) -> Bool {
        guard record.isInternal ?? false, record.state == .completed || record.state == .error,
            isOlder(record.createdMilliseconds, than: Self.graceMilliseconds)
        else { return false }
        var isRetired = false
        try await catalogue.change(record.id) { record in
            isRetired = record.pinList.isEmpty && record.state != .deleting
            guard isRetired else { return false }
            record.state = .deleting
            return true
        }
        return isRetired
    }

    private func isOlder(_ moment: UInt64, than age: UInt64) -> Bool {
        let now = wallMilliseconds()
        return now > moment && now - moment > age
    }
}
