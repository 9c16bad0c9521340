// SPDX-License-Identifier: Apache-2.0
import Engine
package import Messages
import Wire

/// Volumes that are in the bucket and not, or not yet, in this gateway.
extension ControlHandler {
    /// HEADs are read this many at a time, so that a bucket of thousands does not fill the uploaders' queue.
    private static var discoverWidth: Int { 16 }

    package func discover(within timeout: Duration, answer: @escaping Answer<VolumeDiscoverRequest.Reply>) {
        attempt(answer) { () throws(BusFault) in
            let finish = call(within: timeout, answer) {
                "the bucket could not be listed in time" + (self.shard.bucketProblem.map { ": " + $0 } ?? "")
            }
            readHeads { result in
                finish(
                    result.map { heads in
                        VolumeDiscoverRequest.Reply(
                            volumes: heads.map { self.found($0.head) }.sorted { ($0.name, $0.id) < ($1.name, $1.id) })
                    })
            }
        }
    }

    package func attach(
        _ request: VolumeAttachRequest, within timeout: Duration, answer: @escaping Answer<VolumeDescription>
    ) {
        switch request.standby {
        case .begin: return standBy(request, within: timeout, answer: answer)
        case .cancel: return cancelStandby(request, answer: answer)
        case nil: break
        }
        attempt(answer) { () throws(BusFault) in
            let here = try? volume(request.volume)
            if let here { try checkReplaceable(here, force: request.force) }
            let deadline = deadline(after: timeout)
            let finish = call(within: timeout, answer) {
                self.whyWaiting(for: request.volume)
                    ?? "volume \(request.volume.text) is not attached yet"
                    + (self.shard.bucketProblem.map { ": " + $0 } ?? ": the bucket is slow")
                    + "; `sluice volume list` shows whether it still comes"
            }
            readHead(of: request.volume, here: here) { stored in
                self.attempt(finish) { () throws(BusFault) in
                    let stored = try stored.get()
                    if request.force || stored.head.ownership == .exclusive || stored.head.state == .deleted {
                        self.takeOver(stored, force: request.force, finish: finish)
                    } else {
                        try self.checkPlace(for: stored.head)
                        self.waitForLease(stored, until: deadline, finish: finish)
                    }
                }
            }
        }
    }

    /// HEAD of a volume by its name or id.
    func readHead(of reference: VolumeReference, here: HostedVolume?, then finish: @escaping Answer<StoredHead>) {
        guard let id = here?.id ?? VolumeID(reference.text) else {
            return readHeads { result in
                self.attempt(finish) { () throws(BusFault) in
                    let heads = try result.get().filter { $0.head.name == reference.text }
                    finish(.success(try self.single(heads, named: reference.text)))
                }
            }
        }
        shard.callBucket(.getObject(key: BucketLayout.head(id))) { object in
            self.attempt(finish) { () throws(BusFault) in
                if object.outcome == .notFound { throw self.unknown(reference.text) }
                finish(.success(try self.storedHead(id, object)))
            }
        }
    }

    // MARK: Attaching

    private func takeOver(_ stored: StoredHead, force: Bool, finish: @escaping Answer<VolumeDescription>) {
        attempt(finish) { () throws(BusFault) in
            let head = stored.head
            let here = shard.volumes[head.volume]
            if let here { try checkReplaceable(here, force: force) }
            guard head.state == .live else { throw deleted(head) }
            try checkPlace(for: head)
            // A clean shutdown is no release: the owner may have started again, and needs no bucket to serve.
            if !force { throw ownedElsewhere(head) }
            seize(stored) { result in
                // A standby has what it was waiting for.
                if case .success = result, let taker = self.takers[head.volume] { self.drop(taker) }
                finish(result)
            }
        }
    }

    /// Its name is free here, and its journal has room.
    func checkPlace(for head: Head) throws(BusFault) {
        try checkName(head.name, replacing: head.volume)
        _ = try admission.uploadBuffer(head.uploadBufferByteCount, among: reservations(except: head.volume))
    }

    /// Replaces HEAD by one of this gateway. What lies here of the volume is set aside.
    func seize(_ stored: StoredHead, finish: @escaping Answer<VolumeDescription>) {
        let head = stored.head
        claim(head, finish) { end in
            self.shard.setAside(head.volume) { result in
                switch result {
                case .success(let places): self.takeOver(stored, keeping: places, finish: end)
                case .failure(let error): end(.failure(self.notSetAside(head, error)))
                }
            }
        }
    }

    func notSetAside(_ head: Head, _ error: any Error) -> BusFault {
        BusFault(
            .internalError,
            "the local files of volume \(head.name) cannot be set aside: \(error); "
                + "move them away, then restart the cache manager")
    }

    /// - Parameter places: where its former files are now.
    private func takeOver(_ stored: StoredHead, keeping places: [String], finish: @escaping Answer<VolumeDescription>) {
        let head = stored.head
        let told: Answer<VolumeDescription> = { result in
            finish(
                result.map { description in
                    guard !places.isEmpty else { return description }
                    var description = description
                    description.statusReason = "its former journal is kept in " + places.joined(separator: ", ")
                    return description
                })
        }
        open(.takeOver(head, stored.tag, by: shard.settings.gateway), head: head, errand: .none, finish: told)
    }

    /// Only a volume that serves nobody any more may be taken from the bucket again.
    private func checkReplaceable(_ here: HostedVolume, force: Bool) throws(BusFault) {
        let (status, reason) = here.status(bucketProblem: nil)
        guard status == .fenced || status == .failed, here.errand == .none else {
            throw BusFault(.inUse, "volume \(here.name) (\(here.id)) is attached to this gateway already")
        }
        guard force else {
            throw BusFault(
                .inUse,
                "volume \(here.name) (\(here.id)) is here and \(status == .fenced ? "fenced" : "failed"): \(reason); "
                    + (status == .fenced && here.head.ownership == .lease
                        ? "with --standby this gateway follows the new owner, " : "")
                    + "with --force it is opened anew as of its recovery point in the bucket, "
                    + "and its journal is set aside")
        }
    }

    func deleted(_ head: Head) -> BusFault {
        BusFault(.unknownVolume, "volume \(head.name) (\(head.volume)) was deleted; its snapshots may remain")
    }

    func ownedElsewhere(_ head: Head) -> BusFault {
        let age =
            shard.now.wallMilliseconds > head.cutMilliseconds
            ? (shard.now.wallMilliseconds - head.cutMilliseconds) / 1000 : 0
        let point = "its newest recovery point is commit \(head.commitNumber), cut \(age) s ago"
        if head.owner == shard.settings.gateway, head.ownership == .exclusive {
            return BusFault(
                .ownedElsewhere,
                "volume \(head.name) belongs to this gateway (\(head.owner)), but its local state is gone, "
                    + "so a copy of this gateway may still run; \(point). "
                    + "Make sure that no copy runs, then attach it with --force: "
                    + "what was written after the recovery point is lost")
        }
        if head.ownership == .lease {
            return BusFault(
                .ownedElsewhere,
                "gateway \(head.owner) holds the lease on volume \(head.name) and renews it; \(point). "
                    + "`sluice volume attach \(head.name) --standby` takes it over when that gateway stops or "
                    + "its lease of \(head.leaseNanoseconds / 1_000_000_000) s runs out; --force takes it at once, "
                    + "after that gateway was cut off, and what it had not committed is lost")
        }
        return BusFault(
            .ownedElsewhere,
            "volume \(head.name) belongs to gateway \(head.owner)"
                + (head.cleanShutdown ? ", which shut it down cleanly" : "") + "; \(point). "
                + "Stop that gateway first, so that the volume is handed over complete, then attach it with --force: "
                + "the old owner is fenced for good, and what it had not committed is lost")
    }

    private func single(_ heads: [StoredHead], named name: String) throws(BusFault) -> StoredHead {
        let live = heads.filter { $0.head.state == .live }
        guard live.count <= 1 else {
            let ids = live.map { "\($0.head.volume) of gateway \($0.head.owner)" }.sorted().joined(separator: ", ")
            throw BusFault(
                .invalidArgument, "the bucket has \(live.count) volumes named \"\(name)\": \(ids); name one by its id")
        }
        guard let stored = live.first ?? heads.first else { throw unknown(name) }
        return stored
    }

    func unknown(_ text: String) -> BusFault {
        BusFault(.unknownVolume, "the bucket has no volume \"\(text)\"; `sluice volume discover` shows those it has")
    }

    // MARK: Reading HEADs

    private func found(_ head: Head) -> VolumeDiscoverRequest.Found {
        VolumeDiscoverRequest.Found(
            id: head.volume, name: head.name, byteCount: head.byteCount, generation: head.generation.rawValue,
            commitNumber: head.commitNumber, recoveryPointMilliseconds: head.cutMilliseconds, owner: head.owner,
            isAttachedHere: shard.volumes[head.volume] != nil, isDeleted: head.state == .deleted)
    }

    func storedHead(_ id: VolumeID, _ object: BucketAnswer) throws(BusFault) -> StoredHead {
        try bucketFault(object.outcome, doing: "reading HEAD of \(id)")
        guard case .success(let tag?, _) = object.outcome else {
            throw BusFault(.bucketRefused, "reading HEAD of \(id): the store names no version of it")
        }
        let head: Head
        do throws(EngineError) {
            head = try HeadFormat.decode(object.payload)
        } catch {
            throw BusFault(.bucketRefused, "HEAD of \(id) in the bucket is not usable: \(error)")
        }
        guard head.volume == id else {
            throw BusFault(.bucketRefused, "HEAD of \(id) in the bucket is that of \(head.volume)")
        }
        return StoredHead(head: head, tag: tag)
    }

    /// All volumes in the bucket. One HEAD that cannot be read fails the whole: a list with holes would mislead.
    private func readHeads(then finish: @escaping Answer<[StoredHead]>) {
        shard.callBucket(.listFolders(prefix: BucketLayout.volumesPrefix)) { list in
            self.attempt(finish) { () throws(BusFault) in
                try self.bucketFault(list.outcome, doing: "listing the bucket's volumes")
                let text = String(decoding: list.payload, as: UTF8.self)
                let ids = text.split(separator: "\n").compactMap { VolumeID(String($0)) }
                self.readHeads(ids[...], found: [], then: finish)
            }
        }
    }

    private func readHeads(
        _ ids: ArraySlice<VolumeID>, found: [StoredHead], then finish: @escaping Answer<[StoredHead]>
    ) {
        guard !ids.isEmpty else { return finish(.success(found)) }
        let round = ids.prefix(Self.discoverWidth)
        var missing = round.count
        var found = found
        var fault: BusFault?
        for id in round {
            shard.callBucket(.getObject(key: BucketLayout.head(id))) { object in
                do throws(BusFault) {
                    // Gone, and what is left of the volume is still to be cleared up: not an error.
                    if object.outcome != .notFound { found.append(try self.storedHead(id, object)) }
                } catch {
                    fault = error
                }
                missing -= 1
                guard missing == 0 else { return }
                if let fault { return finish(.failure(fault)) }
                self.readHeads(ids.dropFirst(round.count), found: found, then: finish)
            }
        }
    }
}
