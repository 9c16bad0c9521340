// SPDX-License-Identifier: Apache-2.0
import Wire

/// A HEAD on its way to the bucket: the same bytes under the same precondition until it is known whether they landed
/// (STORAGE §3, "ambiguous answers").
struct HeadPublication {
    enum Purpose { case opening, commit, renewal }
    let head: Head
    let purpose: Purpose
    /// When it went out first.
    let sentAt: UInt64
    let bytes: [UInt8]
    var precondition: WritePrecondition
    /// Of the request under way.
    var token: EffectToken?
    var failures = 0
}

extension Volume {
    func publish(
        _ head: Head, as purpose: HeadPublication.Purpose, under precondition: WritePrecondition, at time: EngineTime
    ) {
        var head = head
        if let renewal = lease?.nextRenewal() { head.renewal = renewal }
        do throws(EngineError) {
            publication = HeadPublication(
                head: head, purpose: purpose, sentAt: time.nanoseconds, bytes: try HeadFormat.encode(head),
                precondition: precondition)
            putHead()
        } catch {
            // Only a HEAD over its size limit; the fold that would make it smaller comes first.
            effects.append(.report(.commitDelayed("HEAD cannot be encoded: \(error)")))
            commit?.delayReason = "HEAD cannot be encoded: \(error)"
        }
    }

    func putHead() {
        guard let publication else { return }
        let token = effects.nextToken()
        self.publication?.token = token
        effects.append(
            .putObject(token, BucketLayout.head(head.volume), publication.bytes, publication.precondition))
    }

    func getHead() {
        let token = effects.nextToken()
        publication?.token = token
        effects.append(.getObject(token, BucketLayout.head(head.volume)))
    }

    func headAnswered(_ result: Result<EntityTag, BucketFailure>, at time: EngineTime) {
        publication?.token = nil
        switch result {
        case .success(let tag): headPublished(tag, at: time)
        case .failure(.preconditionFailed), .failure(.ambiguous), .failure(.corrupt): getHead()
        case .failure(.notFound): fence("HEAD has vanished from the bucket; it is never made anew")
        case .failure(let failure): delayHead(.putHead, "HEAD cannot be stored: \(failure)", at: time)
        }
    }

    /// The answer to whether an attempt landed.
    func headRead(_ result: Result<StoredObject, BucketFailure>, at time: EngineTime) {
        guard let publication else { return }
        self.publication?.token = nil
        switch result {
        case .success(let object):
            do throws(EngineError) {
                let found = try HeadFormat.decode(object.bytes)
                if found.commit == publication.head.commit, found.renewal == publication.head.renewal {
                    headPublished(object.tag, at: time)
                } else if lease != nil, found.commit == head.commit, publication.precondition != .matches(object.tag),
                    publication.purpose != .opening, isWrittenHere(found)
                {
                    // A renewal of an earlier run landed late; it changed nothing but the version.
                    headTag = object.tag
                    self.publication?.precondition = .matches(object.tag)
                    putHead()
                } else if opening.lateCommits.contains(found.commit), isWrittenHere(found) {
                    // A HEAD of an earlier run landed after all, late. What it covers is dirty here still, so ours
                    // holds everything it does and comes after it, declared as such.
                    self.publication = nil
                    headTag = object.tag
                    opening.landedCommitNumber = found.commitNumber
                    adoptSettings(of: found)
                    declareIntent()
                } else if publication.purpose == .opening, isEarlierAttempt(found),
                    opening.isCreation || isWrittenHere(found)
                {
                    // An earlier attempt of this gateway to create or to take over has landed late; it never served.
                    // Under a lease another run of the same gateway may be a copy of it, and serve.
                    head.commitNumber = found.commitNumber + 1
                    publish(head, as: .opening, under: .matches(object.tag), at: time)
                } else if publication.precondition == .matches(object.tag) {
                    // Ours did not land and nobody else wrote: the same bytes again.
                    delayHead(.putHead, "HEAD could not be stored", at: time)
                } else {
                    fence(Self.reason(found, ours: head))
                }
            } catch {
                delayHead(.getHead, "HEAD cannot be read: \(error)", at: time)
            }
        case .failure(.notFound) where publication.precondition == .absent:
            delayHead(.putHead, "HEAD could not be created", at: time)
        case .failure(.notFound): fence("HEAD has vanished from the bucket; it is never made anew")
        case .failure(let failure): delayHead(.getHead, "HEAD cannot be read: \(failure)", at: time)
        }
    }

    /// A HEAD with which this gateway was about to create or take the volume. One of a lower generation is that only if
    /// it holds the very same: a run in between has put it once more, after this one had read it.
    private func isEarlierAttempt(_ found: Head) -> Bool {
        guard found.owner == head.owner, found.generation != head.generation else { return found.owner == head.owner }
        return found.generation < head.generation && found.root == head.root && found.settings == head.settings
            && found.journalSequence == head.journalSequence && found.state == head.state
    }

    private func delayHead(_ action: RetryAction, _ reason: String, at time: EngineTime) {
        let failures = publication?.failures ?? 0
        publication?.failures = failures + 1
        commit?.delayReason = reason
        if phase == .opening { opening.delayReason = reason }
        effects.append(.report(.commitDelayed(reason)))
        let pause = backoff(failures)
        later(action, after: lease.map { min(pause, $0.longestPause) } ?? pause, at: time)
    }

    private func headPublished(_ tag: EntityTag, at time: EngineTime) {
        guard let landed = publication else { return }
        publication = nil
        lease?.renewed(sentAt: landed.sentAt)
        switch landed.purpose {
        case .opening: openingPublished(landed.head, tag, at: time)
        case .commit: commitPublished(landed.head, tag, at: time)
        case .renewal: renewalPublished(landed.head, tag, at: time)
        }
        updateLease(at: time)
    }

    /// Why a HEAD that is not ours means that we must not go on.
    static func reason(_ found: Head, ours: Head) -> String {
        if found.state == .deleted { return "the volume was deleted in the bucket" }
        if found.generation != ours.generation {
            return "gateway \(found.owner) owns the volume now (generation \(found.generation.rawValue), "
                + "ours is \(ours.generation.rawValue))"
        }
        if found.commitNumber > ours.commitNumber {
            return "the bucket holds commit \(found.commitNumber) of this volume, this machine only knows of "
                + "\(ours.commitNumber): its state directory is an old copy"
        }
        return "the bucket holds commit \(found.commitNumber) of this volume, older than \(ours.commitNumber) "
            + "which this machine made: the bucket was rolled back"
    }
}
