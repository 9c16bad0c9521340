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
    private let maximumAge: Duration

    /// - Parameter maximumAge: of what is known of completed snapshots. What rests on less than that is asked again
    ///   when it is changed.
    package init(
        catalogue: SnapshotCatalogue, recoveryPoints: RecoveryPoints, owners: @escaping VolumeOwners,
        wallMilliseconds: @escaping @Sendable () -> UInt64, maximumAge: Duration = .seconds(600)
    ) {
        self.catalogue = catalogue
        self.recoveryPoints = recoveryPoints
        self.owners = owners
        self.wallMilliseconds = wallMilliseconds
        self.maximumAge = maximumAge
    }

    /// Everything that is promised, and every record.
    package struct View: Sendable {
        package fileprivate(set) var pending: PendingList
        package fileprivate(set) var entries: [SnapshotCatalogue.Entry]

        fileprivate var records: [SnapshotRecord] {
            entries.compactMap { if case .record(let record) = $0 { record } else { nil } }
        }

        /// Whether anything may still name what the volume has pinned, other than the volume itself.
        fileprivate func mayHaveRoots(of volume: VolumeID) -> Bool {
            records.contains { $0.volume == volume && ($0.state == .completed || $0.state == .pending) }
                || pending.items.values.contains { $0.record.volume == volume } || !pending.isComplete
        }
    }

    /// What was found out about volumes that hold pins; several may be on one line of descent.
    private struct Findings {
        var heads: [VolumeID: Head?] = [:]
        /// Of those that are deleted.
        var haveRoots: [VolumeID: Bool] = [:]
    }

    package func look() async throws(BusFault) -> View {
        // The promises first: what is settled in between is found in the records.
        let pending = await PendingList.read(owners)
        return View(pending: pending, entries: try await catalogue.entries(maximumAge: maximumAge))
    }

    /// - Returns: how many records were changed.
    @discardableResult
    package func run(_ view: View) async throws(BusFault) -> Int {
        var known = Findings()
        var changes = 0
        for record in view.records {
            if isOrphan(record, view) {
                try await catalogue.change(record.id) { record in
                    guard record.state == .pending else { return false }
                    record.state = .error
                    record.reason = "the gateway lost what it knew of it before it was in the bucket"
                    return true
                }
                changes += 1
            }
            for pin in record.pinList where try await look(at: pin, of: record, view, &known) { changes += 1 }
            if record.gateway == view.pending.gateway, try await retire(record) { changes += 1 }
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
        at pin: SnapshotPin, of record: SnapshotRecord, _ view: View, _ known: inout Findings
    ) async throws(BusFault) -> Bool {
        // Most pins are of clones that are in use, and nothing follows from their HEADs: an active one falls only when
        // its volume is deleted, which our own are not as long as we have them, and when nothing else may need it.
        if pin.state == .active, view.pending.volumes.contains(pin.volume) || view.mayHaveRoots(of: pin.volume) {
            return false
        }
        if known.heads[pin.volume] == nil {
            known.heads[pin.volume] = .some(try await recoveryPoints.head(of: pin.volume))
        }
        guard let head = known.heads[pin.volume] ?? nil else {
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
            guard head.owner == view.pending.gateway, !view.mayHaveRoots(of: pin.volume) else { return false }
            // Its snapshots name the same packs: the claim stands until the last of them is gone. Whoever keeps a root
            // of a volume writes that down first and then sees that the volume is not deleted; so once it is, all that
            // will ever be are in a view that is taken now, and not in one that is older.
            if known.haveRoots[pin.volume] == nil {
                known.haveRoots[pin.volume] = try await look().mayHaveRoots(of: pin.volume)
            }
            guard known.haveRoots[pin.volume] == false else { return false }
            try await catalogue.change(record.id) { $0.removePin(of: pin.volume) }
            return true
        }
    }

    /// Nobody sees an internal snapshot, so nobody would delete it.
    /// - Returns: whether it was.
    private func retire(_ record: SnapshotRecord) async throws(BusFault) -> Bool {
        guard record.isInternal ?? false, record.state == .completed || record.state == .error,
            isOlder(record.endedMilliseconds ?? record.createdMilliseconds, than: Self.graceMilliseconds)
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
