// SPDX-License-Identifier: Apache-2.0
import DequeModule
import Platform

/// What is durable and what was asked to be; one fdatasync at a time serves all that wait (group commit).
struct JournalSync {
    fileprivate(set) var syncedSequence: JournalSequence
    fileprivate var wanted = JournalSequence.zero
    fileprivate var inFlight: (token: EffectToken, through: JournalSequence, segments: [SegmentID])?
    fileprivate var sealing: EffectToken?

    init(syncedSequence: JournalSequence) { self.syncedSequence = syncedSequence }
}

extension Journal {
    /// Somebody waits for this published record, and all before it, to be durable.
    mutating func wantSync(through sequence: JournalSequence) {
        precondition(sequence <= publishedSequence)
        syncs.wanted = max(syncs.wanted, sequence)
    }

    var syncedSequence: JournalSequence { syncs.syncedSequence }

    /// Starts what sync and seal is due.
    mutating func pump(_ effects: inout EffectQueue) {
        guard failure == nil else { return }
        seal(&effects)
        guard syncs.inFlight == nil, syncs.wanted > syncs.syncedSequence else { return }
        let through = publishedSequence
        let ids = store.segments.filter { $0.lastSequence > syncs.syncedSequence && $0.firstSequence <= through }.map(
            \.id)
        let token = effects.nextToken()
        syncs.inFlight = (token, through, ids)
        effects.append(.syncSegments(token, ids))
    }

    /// Full segments are sealed one after the other, oldest first: data durable, then the index, then the index durable
    /// (STORAGE §4). An index never claims a record that a power cut could take away.
    private mutating func seal(_ effects: inout EffectQueue) {
        let position = store.sealedCount
        guard syncs.sealing == nil, position < store.segments.count else { return }
        let segment = store.segments[position]
        guard segment.state == .full, segment.lastSequence <= publishedSequence else { return }
        guard segment.lastSequence <= syncs.syncedSequence else { return wantSync(through: segment.lastSequence) }
        let (buffer, byteOffset) = segment.index.sealed(
            volume: volume, segment: segment.id, generation: generation, firstSequence: segment.firstSequence,
            lastSequence: segment.lastSequence, segmentByteCount: limits.segmentByteCount)
        let token = effects.nextToken()
        syncs.sealing = token
        store.update(position) { $0.state = .writingIndex }
        effects.append(
            .writeSegment(token, segment.id, byteOffset: byteOffset, buffer, byteCount: buffer.byteCount))
    }

    /// Takes the answer to a sync or to a step of sealing. - Returns: false if the token is neither's.
    mutating func didSync(
        _ token: EffectToken, _ result: Result<Void, SystemError>, _ effects: inout EffectQueue
    ) -> Bool {
        if let inFlight = syncs.inFlight, inFlight.token == token {
            syncs.inFlight = nil
            switch result {
            case .success: syncs.syncedSequence = max(syncs.syncedSequence, inFlight.through)
            case .failure where mutants.contains(.retryFailedSync):
                let retry = effects.nextToken()
                syncs.inFlight = (retry, inFlight.through, inFlight.segments)
                effects.append(.syncSegments(retry, inFlight.segments))
            case .failure(let error): failure = failure ?? error
            }
            return true
        }
        guard syncs.sealing == token else { return false }
        syncs.sealing = nil
        if case .failure(let error) = result {
            failure = failure ?? error
            return true
        }
        let position = store.sealedCount
        guard position < store.segments.count else { return true }
        if store.segments[position].state == .writingIndex {
            let next = effects.nextToken()
            syncs.sealing = next
            effects.append(.syncSegments(next, [store.segments[position].id]))
            store.update(position) { $0.state = .syncingIndex }
        } else {
            store.update(position) {
                $0.state = .sealed
                $0.index = SegmentIndex()
            }
        }
        return true
    }
}
