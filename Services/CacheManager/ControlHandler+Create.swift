// SPDX-License-Identifier: Apache-2.0
import Engine
package import Messages
import Wire

/// Making volumes, empty or from a snapshot.
extension ControlHandler {
    package func create(
        _ request: VolumeCreateRequest, within timeout: Duration, answer: @escaping Answer<VolumeDescription>
    ) {
        attempt(answer) { () throws(BusFault) in
            try check(request)
            guard let snapshot = request.snapshot else {
                guard let byteCount = request.byteCount else {
                    throw BusFault(.invalidArgument, "give the volume's size, or a snapshot to make it from")
                }
                let buffer = try uploadBuffer(of: request)
                let head = newHead(request, byteCount: byteCount, uploadBufferByteCount: buffer, from: nil)
                return create(head, within: timeout, answer: answer)
            }
            try createClone(request, of: snapshot, within: timeout, answer: answer)
        }
    }

    /// What is known of a volume before its snapshot is there.
    package func check(_ request: VolumeCreateCheckRequest) throws(BusFault) -> VolumeCreateCheckRequest.Reply {
        try check(request.create)
        // Another gateway's is judged when its recovery point is there. Whether there is such a volume comes before
        // what this gateway has room for: freeing space for a name that was mistyped would be in vain.
        if let source = try? volume(request.source) {
            if let byteCount = request.create.byteCount { try checkSize(byteCount, holds: source.head) }
            _ = try uploadBuffer(of: request.create)
        }
        return VolumeCreateCheckRequest.Reply()
    }

    /// What no source and no free space would change.
    private func check(_ request: VolumeCreateRequest) throws(BusFault) {
        try checkName(request.name)
        try admission.checkSettings(
            compression: request.compression, commitIntervalSeconds: request.commitIntervalSeconds)
        if let lease = request.leaseMilliseconds { try admission.checkLease(milliseconds: lease) }
        if let byteCount = request.byteCount { try admission.checkSize(byteCount) }
        _ = try admission.uploadBuffer(request.uploadBufferByteCount)
    }

    private func uploadBuffer(of request: VolumeCreateRequest) throws(BusFault) -> UInt64 {
        try admission.uploadBuffer(request.uploadBufferByteCount, among: reservations(except: nil))
    }

    private func checkSize(_ byteCount: UInt64, holds source: Head) throws(BusFault) {
        guard byteCount >= source.byteCount else {
            throw BusFault(
                .invalidArgument,
                "the snapshot needs at least \(source.byteCount >> 30) GiB; leave the size out to take its own")
        }
    }

    /// Reads the snapshot, pins it and what it descends from, then makes the volume.
    private func createClone(
        _ request: VolumeCreateRequest, of snapshot: SnapshotID, within timeout: Duration,
        answer: @escaping Answer<VolumeDescription>
    ) throws(BusFault) {
        let finish = call(within: timeout, answer) {
            "volume \(request.name) is not made yet: \(self.shard.bucketProblem ?? "the bucket is slow"); "
                + "`sluice volume list` shows whether it still comes"
        }
        shard.callBucket(.getObject(key: BucketLayout.snapshot(snapshot))) { object in
            self.attempt(finish) { () throws(BusFault) in
                let source = try self.source(snapshot, object)
                let byteCount = request.byteCount ?? source.byteCount
                try self.checkSize(byteCount, holds: source)
                try self.admission.checkSize(byteCount)
                let buffer = try self.uploadBuffer(of: request)
                let head = self.newHead(
                    request, byteCount: byteCount, uploadBufferByteCount: buffer, from: (snapshot, source))
                let pin = SnapshotPin(
                    volume: head.volume, volumeName: head.name, gateway: self.shard.settings.gateway,
                    createdMilliseconds: self.shard.now.wallMilliseconds)
                let chain = PinChain(pin: pin, heir: source.volume, first: snapshot)
                // Another may have come first while the snapshot was read.
                try self.checkName(request.name)
                self.claim(head, finish) { end in
                    self.pin(snapshot, chain) { pinned in self.openClone(head, pinned, finish: end) }
                }
            }
        }
    }

    private func openClone(
        _ head: Head, _ pinned: Result<[SnapshotID], BusFault>, finish: @escaping Answer<VolumeDescription>
    ) {
        attempt(finish) { () throws(BusFault) in
            let snapshots = try pinned.get()
            // The name was kept for it; the space for its journal was not.
            do throws(BusFault) {
                _ = try admission.uploadBuffer(head.uploadBufferByteCount, among: reservations(except: nil))
            } catch {
                unpin(snapshots, of: head.volume)
                throw error
            }
            open(.create(head), head: head, errand: .creating) { result in
                switch result {
                case .success: self.activatePins(snapshots, of: head.volume)
                case .failure(let fault):
                    // Anything else than a refusal may still come to be.
                    if fault.code == .fenced { self.unpin(snapshots, of: head.volume) }
                }
                finish(result)
            }
        }
    }

    /// Unique also among what is on its way.
    func checkName(_ name: String, replacing replaced: VolumeID? = nil) throws(BusFault) {
        try admission.checkName(
            name,
            among: reservations(except: replaced)
                + reservedNames.map { VolumeAdmission.Existing(name: $0, uploadBufferByteCount: 0) })
    }

    /// Of the volumes that are here, and of those that may come.
    func reservations(except replaced: VolumeID?) -> [VolumeAdmission.Existing] {
        shard.reservations(except: replaced)
            + standbyReservations.filter { $0.volume != replaced }.map(\.reservation)
    }

    private func create(_ head: Head, within timeout: Duration, answer: @escaping Answer<VolumeDescription>) {
        let finish = call(within: timeout, answer) {
            "volume \(head.name) is being created, but the bucket has not answered yet"
                + (self.shard.bucketProblem.map { ": " + $0 } ?? "")
                + "; it becomes available as soon as the bucket answers (`sluice volume list`), "
                + "unless the cache manager is restarted before: then create it again"
        }
        claim(head, finish) { end in self.open(.create(head), head: head, errand: .creating, finish: end) }
    }

    /// Opens the volume and answers once it is known whether the bucket agreed.
    func open(
        _ opening: VolumeOpening, head: Head, errand: HostedVolume.Errand, finish: @escaping Answer<VolumeDescription>
    ) {
        shard.open(opening, head: head, errand: errand) { hosted, outcome in
            switch outcome {
            case .success: finish(.success(self.describe(hosted)))
            case .failure(let failure):
                let fault = self.fault(failure, hosted)
                // Only a refusal by the bucket is final; otherwise the next start goes on from here. Nothing was
                // acknowledged yet, so nothing is lost with the local files.
                guard case .fenced = failure else { return finish(.failure(fault)) }
                self.shard.remove(hosted) { _ in finish(.failure(fault)) }
            }
        }
    }

    /// The image to start with.
    private func source(_ id: SnapshotID, _ object: BucketAnswer) throws(BusFault) -> Head {
        let record = try record(id, object)
        guard record.state == .completed, let head = record.head else {
            if record.state == .pending {
                throw BusFault(
                    .notReady,
                    "snapshot \(id) is not in the bucket yet; try again when `sluice snapshot show \(id)` "
                        + "says completed")
            }
            throw BusFault(
                .unknownSnapshot, "snapshot \(id) is \(record.state.rawValue), so no volume can be made from it")
        }
        return head
    }

    /// Throws unless the job succeeded.
    func bucketFault(_ outcome: UploadResult.Outcome, doing what: String) throws(BusFault) {
        switch outcome {
        case .success: return
        case .notFound: throw BusFault(.bucketRefused, "\(what): the object is not there")
        case .refused(let reason): throw BusFault(.bucketRefused, "\(what): \(reason)")
        case .corrupt(let reason): throw BusFault(.bucketRefused, "\(what): damaged: \(reason)")
        case .ambiguous(let reason), .unavailable(let reason):
            throw BusFault(.bucketUnavailable, "\(what): the bucket does not answer: \(reason); try again later")
        case .preconditionFailed, .conflict:
            throw BusFault(.bucketUnavailable, "\(what): the bucket reports a conflict; try again")
        }
    }

    private func newHead(
        _ request: VolumeCreateRequest, byteCount: UInt64, uploadBufferByteCount: UInt64,
        from source: (id: SnapshotID, head: Head)?
    ) -> Head {
        Head(
            volume: VolumeID(rawValue: shard.randomNumber()), name: request.name,
            targetName: admission.targetName(request.name), byteCount: byteCount,
            blockSize: request.blockSize ?? source?.head.blockSize ?? .sector,
            isRemovable: request.isRemovable ?? source?.head.isRemovable ?? false,
            ownership: request.leaseMilliseconds == nil ? .exclusive : .lease,
            leaseMilliseconds: request.leaseMilliseconds,
            createdMilliseconds: shard.now.wallMilliseconds, sourceSnapshot: source?.id,
            durability: request.durability.headText, compressionLevel: Int(request.compression.rawValue),
            commitIntervalSeconds: Int(request.commitIntervalSeconds), uploadBufferByteCount: uploadBufferByteCount,
            lineage: shard.randomNumber(), owner: shard.settings.gateway,
            commit: CommitID(high: shard.randomNumber(), low: shard.randomNumber()),
            cutMilliseconds: shard.now.wallMilliseconds, foldNumber: source?.head.foldNumber ?? 0,
            root: source?.head.root ?? ImageRoot())
    }
}
