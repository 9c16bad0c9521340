// SPDX-License-Identifier: Apache-2.0
package import Engine
package import Messages
package import Wire

/// Standbys: volumes that this gateway takes over as soon as their owner's lease runs out, across its own restarts.
extension ControlHandler {
    /// Those of a slot, after its volumes are known.
    package func adopt(_ standbys: [Standby], volumes: Set<VolumeID>) {
        for standby in standbys where takers[standby.volume]?.standby == nil {
            let taker = takers[standby.volume] ?? LeaseTaker(standby.volume)
            taker.standby = standby
            // Taken over, and cut short before its file was removed.
            guard !volumes.contains(standby.volume), shard.volumes[standby.volume] == nil else {
                drop(taker)
                continue
            }
            takers[standby.volume] = taker
            look(taker)
        }
    }

    package var standbyCount: Int { visibleStandbys.count }

    /// One that is being taken over is shown as a volume.
    private var visibleStandbys: [LeaseTaker] {
        takers.values.filter { $0.standby != nil && shard.volumes[$0.volume] == nil }
    }

    package var standbys: [VolumeDescription] { visibleStandbys.compactMap(describe) }

    /// What they will need here.
    var standbyReservations: [(volume: VolumeID, reservation: VolumeAdmission.Existing)] {
        visibleStandbys.compactMap { taker in
            taker.standby.map {
                (
                    taker.volume,
                    VolumeAdmission.Existing(
                        name: $0.head.name, uploadBufferByteCount: $0.head.uploadBufferByteCount)
                )
            }
        }
    }

    func taker(_ reference: VolumeReference) -> LeaseTaker? {
        VolumeID(reference.text).flatMap { takers[$0] } ?? takers.values.first { $0.head?.name == reference.text }
    }

    // MARK: Wishing

    func standBy(
        _ request: VolumeAttachRequest, within timeout: Duration, answer: @escaping Answer<VolumeDescription>
    ) {
        attempt(answer) { () throws(BusFault) in
            if let taker = taker(request.volume), taker.standby != nil, let description = describe(taker) {
                return answer(.success(description))
            }
            let here = try? volume(request.volume)
            if let here { try checkMayStandBy(here) }
            let finish = call(within: timeout, answer) {
                "volume \(request.volume.text) is not on standby yet"
                    + (self.shard.bucketProblem.map { ": " + $0 } ?? ": the bucket is slow")
                    + "; `sluice volume list` shows whether it still comes"
            }
            readHead(of: request.volume, here: here) { stored in
                self.attempt(finish) { () throws(BusFault) in try self.standBy(try stored.get(), finish: finish) }
            }
        }
    }

    private func standBy(_ stored: StoredHead, finish: @escaping Answer<VolumeDescription>) throws(BusFault) {
        let head = stored.head
        let here = shard.volumes[head.volume]
        if let here { try checkMayStandBy(here) }
        guard head.state == .live else { throw deleted(head) }
        guard head.ownership == .lease else {
            throw BusFault(
                .ownedElsewhere,
                "volume \(head.name) is owned exclusively by gateway \(head.owner), so nobody can tell whether that "
                    + "still serves: only volumes made with --ownership lease have standbys")
        }
        try checkPlace(for: head)
        claim(head, finish) { end in
            guard here != nil else { return self.save(stored, keeping: [], finish: end) }
            self.shard.setAside(head.volume) { result in
                switch result {
                case .success(let places): self.save(stored, keeping: places, finish: end)
                case .failure(let error): end(.failure(self.notSetAside(head, error)))
                }
            }
        }
    }

    private func save(_ stored: StoredHead, keeping places: [String], finish: @escaping Answer<VolumeDescription>) {
        let standby = Standby(head: stored.head, createdMilliseconds: shard.now.wallMilliseconds)
        let files = standbyFiles
        shard.disk.run {
            Result { try files.save(standby) }
        } then: { result in
            switch result {
            case .success: self.saved(standby, stored, keeping: places, finish: finish)
            case .failure(let error):
                finish(
                    .failure(
                        BusFault(
                            .internalError,
                            "volume \(standby.head.name) is not on standby: it cannot be written down: \(error)")))
            }
            self.shard.settle()
        }
    }

    private func saved(
        _ standby: Standby, _ stored: StoredHead, keeping places: [String], finish: @escaping Answer<VolumeDescription>
    ) {
        // Callers of `volume attach` may have come first.
        let taker = takers[standby.volume] ?? LeaseTaker(standby.volume)
        taker.standby = standby
        if takers[standby.volume] == nil { begin(taker, with: stored) }
        guard var description = describe(taker) else { return }
        if !places.isEmpty {
            description.statusReason = "its former journal is kept in " + places.joined(separator: ", ")
        }
        finish(.success(description))
    }

    /// Only a volume that was taken over by another gateway: what else is here serves, or may serve again.
    private func checkMayStandBy(_ here: HostedVolume) throws(BusFault) {
        let (status, reason) = here.status(bucketProblem: nil)
        guard status != .fenced || here.errand != .none else { return }
        throw BusFault(
            .inUse,
            "volume \(here.name) (\(here.id)) is attached to this gateway already"
                + (reason.isEmpty ? "" : " (\(status): \(reason))")
                + ": only a volume that another gateway owns can be on standby")
    }

    // MARK: Ending

    func cancelStandby(_ request: VolumeAttachRequest, answer: @escaping Answer<VolumeDescription>) {
        attempt(answer) { () throws(BusFault) in
            guard let taker = taker(request.volume), taker.standby != nil, let description = describe(taker) else {
                throw BusFault(
                    .unknownVolume,
                    "this gateway has no standby \"\(request.volume.text)\"; `sluice volume list` shows those it has")
            }
            guard !taker.isTaking else {
                throw BusFault(
                    .inUse, "volume \(description.name) is being taken over right now; it is no standby any more")
            }
            taker.standby = nil
            if !taker.isWanted { takers[taker.volume] = nil }
            let (files, volume) = (standbyFiles, taker.volume)
            shard.disk.run {
                Result { try files.remove(volume) }
            } then: { result in
                answer(
                    result.map { description }.mapError { error in
                        BusFault(
                            .internalError,
                            "volume \(description.name) is no standby until the next start, but its file could not be "
                                + "removed: \(error); do it again then")
                    })
                self.shard.settle()
            }
        }
    }

    // MARK: Describing

    private func describe(_ taker: LeaseTaker) -> VolumeDescription? {
        guard let head = taker.head else { return nil }
        let now = shard.now.nanoseconds
        let unchanged = taker.watch.unchangedNanoseconds(at: now)
        return VolumeDescription(
            id: head.volume, name: head.name, targetName: head.targetName, byteCount: head.byteCount,
            status: .standby, statusReason: reason(taker, head, unchanged),
            durability: Durability(headText: head.durability) ?? .onFlush,
            compression: CompressionLevel(rawValue: UInt8(clamping: head.compressionLevel)),
            commitIntervalSeconds: UInt32(clamping: head.commitIntervalSeconds), sourceSnapshot: head.sourceSnapshot,
            createdMilliseconds: head.createdMilliseconds, generation: head.generation.rawValue,
            commitNumber: head.commitNumber, recoveryPointMilliseconds: head.cutMilliseconds, dirtyByteCount: 0,
            oldestDirtySeconds: 0, uploadBufferUsedByteCount: 0, uploadBufferByteCount: head.uploadBufferByteCount,
            lease: VolumeLease(
                milliseconds: head.leaseMilliseconds ?? 0,
                isHeld: unchanged.map { $0 < head.leaseNanoseconds && !head.cleanShutdown } ?? false,
                owner: head.owner),
            blockSize: head.blockSize == .sector ? nil : head.blockSize, isRemovable: head.isRemovable ? true : nil)
    }

    private func reason(_ taker: LeaseTaker, _ head: Head, _ unchanged: UInt64?) -> String {
        guard taker.problem.isEmpty else { return taker.problem }
        guard let unchanged else { return shard.bucketProblem ?? "has not read the volume's HEAD yet" }
        return "gateway \(head.owner) owns it; its lease was renewed or first seen \(unchanged / 1_000_000_000) s ago"
    }
}
