// SPDX-License-Identifier: Apache-2.0
import Engine
import Messages
import Platform
import Wire

/// Where crash tests stop the cache manager (Tests of real processes; see `Failpoint`).
enum ShardFailpoints {
    static let beforeSegmentWrite = Failpoint("cache.segment.write.before")
    static let afterSegmentWrite = Failpoint("cache.segment.write.after")
    static let beforeSync = Failpoint("cache.sync.before")
    static let afterSync = Failpoint("cache.sync.after")
    static let beforeSaveState = Failpoint("cache.state.save.before")
    static let afterSaveState = Failpoint("cache.state.save.after")
    static let beforeHeadResult = Failpoint("cache.head.result.before")
    static let afterHeadResult = Failpoint("cache.head.result.after")
    static let beforePackResult = Failpoint("cache.pack.result.before")
}

/// Carries out what an engine wants done. What can be answered at once is: its event is handled before this returns,
/// and the volume is touched so that the shard comes back for what follows from it.
extension Shard {
    func perform(_ effect: Effect, of hosted: HostedVolume) {
        switch effect {
        case .reply(let origin, let reply): outlet?.reply(to: origin, with: reply)
        case .prepareSegment(let token, let id, let reusing): prepare(id, reusing: reusing, token: token, of: hosted)
        case .writeSegment(let token, let id, let byteOffset, let buffer, let byteCount):
            write(buffer, byteCount: byteCount, to: id, at: byteOffset, token: token, of: hosted)
        case .syncSegments(let token, let ids): sync(ids, token: token, of: hosted)
        case .readSegment(let token, let id, let byteOffset, let byteCount, let buffer, let bufferOffset):
            read(id, at: byteOffset, into: buffer, bufferOffset..<bufferOffset + byteCount, token: token, of: hosted)
        case .readSegments(let token, let pieces, let buffer): read(pieces, into: buffer, token: token, of: hosted)
        case .saveState(let token, let state): save(state, token: token, of: hosted)
        case .reservePack(let token):
            guard volumes[hosted.id] === hosted else { break }
            packs.request(token, of: hosted.id)
            givePacks()
        case .releasePack:
            // What a volume held is forgotten when it leaves.
            guard volumes[hosted.id] === hosted else { break }
            packs.release(of: hosted.id)
            givePacks()
        case .putPack(let token, let key, let plan, let blocks):
            submit(.putPack(key: key, plan: plan.encoded()), payload: blocks, token, hosted)
        case .putObject(let token, let key, let bytes, let precondition):
            submit(.putObject(key: key, precondition: precondition), payload: IOBuffer(bytes), token, hosted)
        case .getObject(let token, let key): submit(.getObject(key: key), payload: nil, token, hosted)
        case .getRange(let token, let key, let byteOffset, let byteCount):
            let work = UploadJob.Work.getRange(key: key, byteOffset: byteOffset, byteCount: UInt32(byteCount))
            submit(work, payload: nil, token, hosted)
        case .getFrame(let token, let frame, let urgency):
            let waiter = CacheWaiter(volume: hosted.id, token: token)
            cache.cache.get(frame, urgency, for: waiter, at: now.nanoseconds)
        case .warmFrame(let token, let frame):
            cache.cache.warm(frame, for: CacheWaiter(volume: hosted.id, token: token), at: now.nanoseconds)
        case .getNode(let token, let node, let urgency):
            cache.cache.get(node, urgency, for: CacheWaiter(volume: hosted.id, token: token), at: now.nanoseconds)
        case .hastenNode(let node): cache.cache.hasten(node)
        case .keepNodes(let nodes, let bytes): cache.cache.keep(nodes, of: bytes, at: now.nanoseconds)
        case .barrierPassed(let caller):
            if let origin = barriers.removeValue(forKey: caller) { outlet?.reply(to: origin, with: .good) }
        case .finished(let caller, let result): callers.removeValue(forKey: caller)?(result)
        case .cutDurable(let caller): snapshots.cutDurable(caller)
        // Nobody asks for these yet.
        case .settingsChanged, .provisioning: break
        case .report(let report): outlet?.report(report, of: hosted)
        }
    }

    func handle(_ event: EngineEvent, of hosted: HostedVolume) {
        guard let engine = hosted.engine else { return }
        engine.handle(event, at: now)
        touch(hosted)
    }

    /// Gives memory for packs to whoever waits for it.
    func givePacks() {
        while let (volume, token) = packs.next() {
            guard let hosted = volumes[volume] else { preconditionFailure("memory for a volume that has left") }
            handle(.packReserved(token), of: hosted)
        }
    }

    // MARK: Disk threads

    /// Work on a volume's files, which are not removed before it is done.
    private func run<Value: Sendable>(
        for hosted: HostedVolume, _ work: @escaping @Sendable () -> Value, then completion: @escaping (Value) -> Void
    ) {
        hosted.diskJobCount += 1
        disk.run(work) { value in
            completion(value)
            self.settle()
            hosted.diskJobCount -= 1
            guard hosted.diskJobCount == 0, let call = hosted.whenIdle else { return }
            hosted.whenIdle = nil
            call()
        }
    }

    // MARK: Journal

    private func write(
        _ buffer: IOBuffer, byteCount: Int, to id: SegmentID, at byteOffset: Int, token: EffectToken,
        of hosted: HostedVolume
    ) {
        guard let segment = hosted.journal.segment(id) else {
            return handle(.diskWrite(token, .failure(hosted.journal.missing(id))), of: hosted)
        }
        let work: @Sendable () -> Result<Void, SystemError> = {
            Result { () throws(SystemError) in
                try ShardFailpoints.beforeSegmentWrite.hit()
                try unsafe segment.file.write(
                    UnsafeRawBufferPointer(buffer.bytes(0..<byteCount)), at: UInt64(byteOffset))
                try ShardFailpoints.afterSegmentWrite.hit()
            }
        }
        if settings.writesInline { return handle(.diskWrite(token, work()), of: hosted) }
        run(for: hosted, work) { result in self.handle(.diskWrite(token, result), of: hosted) }
    }

    private func sync(_ ids: [SegmentID], token: EffectToken, of hosted: HostedVolume) {
        let files: [BlockFile]
        do throws(SystemError) {
            files = try hosted.journal.files(ids)
        } catch {
            return handle(.diskWrite(token, .failure(error)), of: hosted)
        }
        run(for: hosted) { () -> Result<Void, SystemError> in
            Result { () throws(SystemError) in
                try ShardFailpoints.beforeSync.hit()
                for file in files { try file.syncData() }
                try ShardFailpoints.afterSync.hit()
            }
        } then: { result in
            self.handle(.diskWrite(token, result), of: hosted)
        }
    }

    private func read(
        _ id: SegmentID, at byteOffset: Int, into buffer: IOBuffer, _ range: Range<Int>, token: EffectToken,
        of hosted: HostedVolume
    ) {
        guard let segment = hosted.journal.segment(id) else {
            return handle(.diskRead(token, .failure(hosted.journal.missing(id))), of: hosted)
        }
        // Recently written data is in the page cache as a rule; only the rest costs a thread.
        let ready = unsafe segment.file.readNoWait(into: buffer.bytes(range), at: UInt64(byteOffset))
        if ready == range.count { return handle(.diskRead(token, .success(())), of: hosted) }
        let rest = range.lowerBound + ready..<range.upperBound
        run(for: hosted) { () -> Result<Void, SystemError> in
            Result { () throws(SystemError) in
                try unsafe segment.file.readFully(into: buffer.bytes(rest), at: UInt64(byteOffset + ready))
            }
        } then: { result in
            self.handle(.diskRead(token, result), of: hosted)
        }
    }

    /// The blocks of a pack: away from the loop even if cached, because they are many.
    private func read(_ pieces: [SegmentRead], into buffer: IOBuffer, token: EffectToken, of hosted: HostedVolume) {
        let files: [BlockFile]
        do throws(SystemError) {
            files = try hosted.journal.files(pieces.map(\.segment))
        } catch {
            return handle(.diskRead(token, .failure(error)), of: hosted)
        }
        run(for: hosted) { () -> Result<Void, SystemError> in
            Result { () throws(SystemError) in
                for (file, piece) in zip(files, pieces) {
                    let range = piece.bufferOffset..<piece.bufferOffset + piece.byteCount
                    try unsafe file.readFully(into: buffer.bytes(range), at: UInt64(piece.byteOffset))
                }
            }
        } then: { result in
            self.handle(.diskRead(token, result), of: hosted)
        }
    }

    private func prepare(_ id: SegmentID, reusing: SegmentID?, token: EffectToken, of hosted: HostedVolume) {
        let old = reusing.flatMap { hosted.journal.drop($0) }
        let path = journals.path(of: id, volume: hosted.id)
        let byteCount = hosted.limits.segmentByteCount
        let (journals, volume) = (journals, hosted.id)
        run(for: hosted) { () -> Result<SegmentFiles.Segment, SystemError> in
            Result { () throws(SystemError) in
                try journals.make(for: volume)
                return try SegmentFiles.prepare(path: path, reusing: old, byteCount: byteCount)
            }
        } then: { result in
            switch result {
            case .success(let segment): hosted.journal.adopt(segment, as: id)
            case .failure: if let old, let reusing { hosted.journal.adopt(old, as: reusing) }  // For the next try.
            }
            self.handle(.segmentPrepared(token, result.map { _ in }), of: hosted)
        }
    }

    // MARK: Local state

    /// One at a time and in order: the last one saved must be the newest.
    private func save(_ state: LocalState, token: EffectToken, of hosted: HostedVolume) {
        hosted.savesWaiting.append((token, state))
        if hosted.savesWaiting.count == 1 { saveNext(of: hosted) }
    }

    private func saveNext(of hosted: HostedVolume) {
        guard let (token, state) = hosted.savesWaiting.first else { return }
        let registry = registry
        run(for: hosted) { () -> Result<Void, SystemError> in
            Result { () throws(SystemError) in
                try ShardFailpoints.beforeSaveState.hit()
                try registry.save(state)
                try ShardFailpoints.afterSaveState.hit()
            }
        } then: { result in
            if case .failure(let error) = result, error.isOutOfSpace, hosted.isServing {
                // Nothing is lost meanwhile: the journal keeps what the older state needs, and is full the sooner.
                hosted.saveProblem = "the state directory has no room: \(error)"
                hosted.saveAgainAt = self.now.nanoseconds + Self.saveInterval
                return
            }
            hosted.saveProblem = nil
            hosted.savesWaiting.removeFirst()
            self.handle(.diskWrite(token, result), of: hosted)
            self.saveNext(of: hosted)
        }
    }

    /// A full state directory is tried again this often, in nanoseconds.
    private static var saveInterval: UInt64 { 1_000_000_000 }

    /// What waited for room.
    func saveAgain(_ hosted: HostedVolume) {
        guard let due = hosted.saveAgainAt, due <= now.nanoseconds else { return }
        hosted.saveAgainAt = nil
        saveNext(of: hosted)
    }
}
