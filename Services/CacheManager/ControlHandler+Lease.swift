// SPDX-License-Identifier: Apache-2.0
import Engine
import Messages
import Wire

/// Taking volumes whose owner's lease runs out: by looking at HEAD again and again.
extension ControlHandler {
    /// For `volume attach`: answers when the volume is here, or as soon as it is plain that its owner lives.
    func waitForLease(_ stored: StoredHead, until deadline: UInt64, finish: @escaping Answer<VolumeDescription>) {
        let caller = LeaseTaker.Caller(deadline: deadline, finish: finish)
        if let taker = takers[stored.head.volume] { return taker.callers.append(caller) }
        let taker = LeaseTaker(stored.head.volume)
        taker.callers = [caller]
        begin(taker, with: stored)
    }

    func begin(_ taker: LeaseTaker, with stored: StoredHead) {
        takers[taker.volume] = taker
        consider(stored, for: taker)
        lookAgain(taker)
    }

    // MARK: Looking

    func look(_ taker: LeaseTaker) {
        guard takers[taker.volume] === taker, !taker.isTaking, !isStopping else { return }
        let work = UploadJob.Work.getObject(key: BucketLayout.head(taker.volume))
        shard.callBucket(work, lease: taker.head?.leaseMilliseconds) { [weak self] object in
            guard let self, self.takers[taker.volume] === taker, !self.isStopping else { return }
            do throws(BusFault) {
                if object.outcome == .notFound { throw self.unknown(taker.volume.description) }
                let stored = try self.storedHead(taker.volume, object)
                taker.problem = ""
                self.consider(stored, for: taker)
            } catch {
                taker.problem = error.message
                // A bucket that is away for a while is no reason to give up.
                if error.code != .bucketUnavailable { taker.answer(.failure(error)) }
            }
            self.lookAgain(taker)
        }
    }

    private func lookAgain(_ taker: LeaseTaker) {
        guard takers[taker.volume] === taker, !taker.isTaking else { return }
        guard taker.isWanted else {
            takers[taker.volume] = nil
            return
        }
        let now = shard.now.nanoseconds
        later(taker.watch.nextLook(after: now) - now) { [weak self] in self?.look(taker) }
    }

    private func consider(_ stored: StoredHead, for taker: LeaseTaker) {
        let now = shard.now.nanoseconds
        taker.callers.removeAll { $0.deadline <= now }
        guard taker.isWanted else { return }
        let head = stored.head
        guard shard.volumes[head.volume] == nil else {
            taker.answer(.failure(BusFault(.inUse, "volume \(head.name) (\(head.volume)) was attached here meanwhile")))
            return drop(taker)
        }
        guard head.state == .live else {
            taker.answer(.failure(deleted(head)))
            if taker.standby != nil { shard.outlet?.report(.volumeDeleted, of: head.volume, name: head.name) }
            return drop(taker)
        }
        guard head.ownership == .lease else {
            taker.problem = ownedElsewhere(head).message
            return taker.answer(.failure(ownedElsewhere(head)))
        }
        switch taker.watch.see(stored, at: now) {
        case .waiting: return
        case .renewed: taker.answer(.failure(ownedElsewhere(head)))
        case .free: take(stored, for: taker)
        }
    }

    // MARK: Taking

    private func take(_ stored: StoredHead, for taker: LeaseTaker) {
        let head = stored.head
        do throws(BusFault) {
            try checkPlace(for: head)
        } catch {
            return cannotTake(head, error, taker)
        }
        taker.isTaking = true
        shard.outlet?.report(
            .taking(owner: head.owner, isHandedOver: head.cleanShutdown), of: head.volume, name: head.name)
        seize(stored) { [weak self] result in
            guard let self, self.takers[taker.volume] === taker else { return }
            taker.isTaking = false
            self.took(result, head, taker)
        }
    }

    private func took(_ result: Result<VolumeDescription, BusFault>, _ head: Head, _ taker: LeaseTaker) {
        switch result {
        case .success(let description):
            shard.outlet?.report(
                .taken(generation: Generation(description.generation)), of: head.volume, name: head.name)
            drop(taker)
            taker.answer(result)
        case .failure(let fault) where fault.code == .fenced:
            // Another taker's HEAD came first, or the owner's. Its lease is as good as any.
            shard.outlet?.report(.lostRace, of: head.volume, name: head.name)
            taker.watch.forget()
            lookAgain(taker)
        case .failure(let fault):
            cannotTake(head, fault, taker)
            // If it is in the shard, the next start goes on with it; its file stays until then.
            if shard.volumes[head.volume] != nil { takers[head.volume] = nil }
            lookAgain(taker)
        }
    }

    private func cannotTake(_ head: Head, _ fault: BusFault, _ taker: LeaseTaker) {
        taker.problem = fault.message
        if taker.reportedProblem != fault.message, !isStopping {
            taker.reportedProblem = fault.message
            shard.outlet?.report(.cannotTake(fault.message), of: head.volume, name: head.name)
        }
        taker.answer(.failure(fault))
    }

    /// Nobody waits for the volume any more. A file that cannot be removed is dropped at the next start.
    func drop(_ taker: LeaseTaker) {
        takers[taker.volume] = nil
        guard taker.standby != nil else { return }
        let (files, volume) = (standbyFiles, taker.volume)
        shard.disk.run {
            _ = try? files.remove(volume)
        } then: {
        }
    }

    /// Why a caller waits still.
    func whyWaiting(for reference: VolumeReference) -> String? {
        guard let taker = taker(reference), !taker.isTaking, let head = taker.head else { return nil }
        let lease = head.leaseNanoseconds / 1_000_000_000
        let unchanged = (taker.watch.unchangedNanoseconds(at: shard.now.nanoseconds) ?? 0) / 1_000_000_000
        return "volume \(head.name) is not attached: gateway \(head.owner) has a lease of \(lease) s on it, and for "
            + "\(unchanged) s it was not renewed; give a --timeout that is longer than the lease, or use --standby"
    }
}
