// SPDX-License-Identifier: Apache-2.0
import Engine
import Messages
import Platform
import Wire

/// A clone's claims on the snapshots that its image is made of (STORAGE §7): the one it is made from, the one that the
/// snapshot's volume was made from, and so on. Claimed before the clone's HEAD is created, so that there is no moment
/// in which the data could go.
extension ControlHandler {
    /// Others that change the same record at the same time are few; more means that something is wrong.
    private static var pinAttempts: Int { 8 }
    /// A longer line of descent is a damaged one.
    private static var ancestorLimit: Int { 256 }

    /// Where a chain of pins stands.
    struct PinChain {
        let pin: SnapshotPin
        /// The volume that the first snapshot is of: what it has pinned may be pinned by its heirs.
        let heir: VolumeID
        let first: SnapshotID
        var pinned: [SnapshotID] = []
    }

    /// Pins a snapshot and what it descends from. On failure nothing stays pinned, or what stays is taken away by the
    /// snapshotter after a while.
    func pin(_ snapshot: SnapshotID, _ chain: PinChain, then finish: @escaping Answer<[SnapshotID]>) {
        guard chain.pinned.count < Self.ancestorLimit, !chain.pinned.contains(snapshot) else {
            return finish(
                .failure(BusFault(.bucketRefused, "snapshot \(chain.first) descends from itself; it is damaged")))
        }
        let heir = snapshot == chain.first ? nil : chain.heir
        change(snapshot, attempts: Self.pinAttempts) { record throws(BusFault) in
            do throws(SnapshotRecord.PinRefusal) {
                let before = record
                try record.pin(chain.pin, inheritedFrom: heir)
                return record != before
            } catch {
                throw Self.fault(error, record, for: chain.first)
            }
        } then: { result in
            switch result {
            case .failure(let fault):
                self.unpin(chain.pinned, of: chain.pin.volume)
                finish(.failure(fault))
            case .success(let record):
                var chain = chain
                chain.pinned.append(snapshot)
                guard let ancestor = record.head?.sourceSnapshot else { return finish(.success(chain.pinned)) }
                self.pin(ancestor, chain, then: finish)
            }
        }
    }

    private static func fault(
        _ refusal: SnapshotRecord.PinRefusal, _ record: SnapshotRecord, for first: SnapshotID
    ) -> BusFault {
        let what =
            record.id == first
            ? "snapshot \(record.id)" : "snapshot \(record.id), which snapshot \(first) descends from,"
        switch refusal {
        case .unusable(let state):
            let reason = state == .deleting ? "is being deleted" : "is \(state.rawValue)"
            return BusFault(.unknownSnapshot, "\(what) \(reason), so no volume can be made from it")
        case .tooMany(let count):
            return BusFault(
                .insufficientSpace,
                "\(what) has \(count) volumes made from it already, which is the most; "
                    + "delete some of them, or use another snapshot of its volume")
        }
    }

    /// The clone's HEAD is in the bucket. What fails here the snapshotter makes good.
    func activatePins(_ snapshots: [SnapshotID], of volume: VolumeID) {
        for snapshot in snapshots {
            change(snapshot, attempts: Self.pinAttempts) { record in
                record.activatePin(of: volume)
            } then: { _ in
            }
        }
    }

    /// The clone was not made. What fails here the snapshotter makes good.
    func unpin(_ snapshots: [SnapshotID], of volume: VolumeID) {
        for snapshot in snapshots {
            change(snapshot, attempts: Self.pinAttempts) { record in
                record.removePin(of: volume)
            } then: { _ in
            }
        }
    }

    // MARK: Records

    /// Changes a snapshot's record under If-Match, again if somebody else was faster.
    /// - Parameter edit: returns whether there is anything to write.
    private func change(
        _ id: SnapshotID, attempts: Int, _ edit: @escaping (inout SnapshotRecord) throws(BusFault) -> Bool,
        then finish: @escaping Answer<SnapshotRecord>
    ) {
        let key = BucketLayout.snapshot(id)
        shard.callBucket(.getObject(key: key)) { object in
            let record: SnapshotRecord
            let bytes: [UInt8]
            let tag: EntityTag
            do throws(BusFault) {
                var edited = try self.record(id, object)
                guard try edit(&edited) else { return finish(.success(edited)) }
                guard case .success(let found?, _) = object.outcome else {
                    throw BusFault(.bucketRefused, "reading snapshot \(id): the store names no version of it")
                }
                record = edited
                tag = found
                bytes = try Self.encode(edited)
            } catch {
                return finish(.failure(error))
            }
            let put = UploadJob.Work.putObject(key: key, precondition: .matches(tag))
            self.shard.callBucket(put, payload: IOBuffer(bytes)) { stored in
                switch stored.outcome {
                case .success: finish(.success(record))
                // Somebody else was faster, or nobody knows: the next look tells.
                case .preconditionFailed, .conflict, .ambiguous:
                    guard attempts > 1 else {
                        return finish(
                            .failure(BusFault(.busy, "snapshot \(id) is being changed by others; try again")))
                    }
                    self.change(id, attempts: attempts - 1, edit, then: finish)
                case .notFound, .unavailable, .corrupt, .refused:
                    do throws(BusFault) {
                        try self.bucketFault(stored.outcome, doing: "pinning snapshot \(id)")
                    } catch {
                        finish(.failure(error))
                    }
                }
            }
        }
    }

    private static func encode(_ record: SnapshotRecord) throws(BusFault) -> [UInt8] {
        do throws(EngineError) {
            return try SnapshotFormat.encode(record)
        } catch {
            throw BusFault(.internalError, "snapshot \(record.id) cannot be written: \(error)")
        }
    }

    /// The record in the bucket, in whatever state.
    func record(_ id: SnapshotID, _ object: BucketAnswer) throws(BusFault) -> SnapshotRecord {
        if object.outcome == .notFound {
            throw BusFault(
                .unknownSnapshot, "the bucket has no snapshot \(id); `sluice snapshot list` shows those it has")
        }
        try bucketFault(object.outcome, doing: "reading snapshot \(id)")
        let record: SnapshotRecord
        do throws(EngineError) {
            record = try SnapshotFormat.decode(object.payload)
        } catch {
            throw BusFault(.bucketRefused, "snapshot \(id) in the bucket is not usable: \(error)")
        }
        guard record.id == id else {
            throw BusFault(.bucketRefused, "snapshot \(id) in the bucket is that of \(record.id)")
        }
        return record
    }
}
