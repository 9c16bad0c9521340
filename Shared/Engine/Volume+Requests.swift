// SPDX-License-Identifier: Apache-2.0
import DequeModule
import Platform
package import Wire

/// A command that waits, with a copy of its payload.
struct HeldRequest {
    var request: VolumeRequest
    var payload: IOBuffer
    var submittedAt: UInt64
    /// When back-pressure lets it go.
    var admission: UInt64
}

/// A COMPARE AND WRITE between its arrival and its answer; nothing else may change its sectors meanwhile.
struct CompareAndWrite {
    var request: VolumeRequest
    var sectors: SectorRange
    var payload: IOBuffer
    /// Reads once everything placed before it is published.
    var afterOrdinal: UInt64
    /// Reads what is there now; an answer to another operation is to an earlier arrival of the same request.
    var operation: ReadOperation?
    /// In the journal, not published yet: nothing can take it back.
    var isWriting = false
}

extension Volume {
    /// A request from a frontend. Its payload is copied if it is kept. Answered by `Effect.reply`, once, unless the
    /// same request is in progress or was answered and confirmed already.
    package func submit(_ request: VolumeRequest, payload: UnsafeRawBufferPointer, at time: EngineTime) {
        updateLease(at: time)
        journal.raiseLowestOpen(of: request.origin.frontend, to: request.lowestOpenNumber)
        refusals[request.origin.frontend]?.removeAll { $0.number < request.lowestOpenNumber }
        switch phase {
        case .opening:
            unsafe waitingForOpen.append(hold(request, payload, at: time))
            return
        case .fenced: return reply(request.origin, .fenced)
        case .stopped, .stopping:
            guard phase == .stopped || request.command.changesVolume else { break }
            // What was applied is never refused.
            if request.command.changesVolume, isRepeat(request.origin) { return }
            return reply(request.origin, .busy)
        case .failed where request.command != .flush && !request.command.changesVolume: break
        case .failed: return reply(request.origin, .writeError)
        case .serving: break
        }
        guard isInRange(request.command) else { return reply(request.origin, .outOfRange) }
        switch request.command {
        case .read(let sectors): read(sectors, for: request.origin, at: time)
        case .flush: flush(request.origin)
        default:
            guard !isRepeat(request.origin) else { return }
            inProgress.insert(request.origin)
            unsafe admit(request, payload, since: time.nanoseconds, at: time)
        }
    }

    /// Answers with `Effect.barrierPassed` when no older command of this nexus can be applied any more. What waits of
    /// it is dropped unanswered: its frontend has dropped it already.
    package func barrier(frontend: ServiceInstance, nexus: UInt64, caller: CallerToken, at time: EngineTime) {
        drop(at: time) { $0.origin.frontend == frontend && $0.nexus == nexus }
        if journal.hasUnpublished, isAlive {
            barriers.append((journal.lastOrdinal, caller))
        } else {
            effects.append(.barrierPassed(caller))
        }
        pump(time)
    }

    /// The frontend is gone for good: nothing of it is applied from now on, what it sent before is forgotten.
    package func revoke(_ frontend: ServiceInstance, at time: EngineTime) {
        drop(at: time) { $0.origin.frontend == frontend }
        journal.forget(frontend)
        refusals[frontend] = nil
        pump(time)
    }

    func reply(_ origin: RequestOrigin, _ reply: VolumeReply) {
        guard lease?.isLapsed == true, phase != .opening, reply.statesContents else {
            return effects.append(.reply(origin, reply))
        }
        // A volume whose journal has failed serves reads, but never renews its lease again.
        guard isAlive else { return effects.append(.reply(origin, .busy)) }
        lease?.withheld[origin] = reply
    }

    /// Answers a request that was in progress.
    func finish(_ origin: RequestOrigin, _ result: VolumeReply) {
        inProgress.remove(origin)
        switch result {
        case .miscompare, .mediumError: refusals[origin.frontend, default: []].append((origin.number, result))
        default: break
        }
        reply(origin, result)
    }

    private func isInRange(_ command: VolumeCommand) -> Bool {
        let sectorCount = head.byteCount / UInt64(Geometry.sectorByteCount)
        func fits(_ range: SectorRange) -> Bool {
            range.start <= sectorCount && UInt64(range.count) <= sectorCount - range.start
        }
        return switch command {
        case .read(let range): fits(range)
        case .write(let range, _), .writeSame(let range, _), .compareAndWrite(let range, _): fits(range)
        case .unmap(let ranges): ranges.allSatisfy(fits)
        case .flush: true
        }
    }

    private func isRepeat(_ origin: RequestOrigin) -> Bool {
        if inProgress.contains(origin) { return true }
        if let refusal = refusals[origin.frontend]?.first(where: { $0.number == origin.number }) {
            statisticsCounters.repeatCount += 1
            reply(origin, refusal.answer)
            return true
        }
        switch journal.table.verdict(on: origin) {
        case .new: return false
        case .applied where !mutants.contains(.forgetRequestTable):
            statisticsCounters.repeatCount += 1
            reply(origin, .good)
            return true
        case .applied: return false
        case .obsolete: return true
        }
    }

    private func flush(_ origin: RequestOrigin) {
        statisticsCounters.flushCount += 1
        let sequence = journal.publishedSequence
        guard sequence > journal.syncedSequence else { return reply(origin, .good) }
        journal.wantSync(through: sequence)
        durabilityWaiters.append((sequence, origin))
    }

    // MARK: Admission

    func hold(_ request: VolumeRequest, _ payload: UnsafeRawBufferPointer, at time: EngineTime) -> HeldRequest {
        unsafe HeldRequest(
            request: request, payload: IOBuffer(copying: payload), submittedAt: time.nanoseconds,
            admission: time.nanoseconds)
    }

    /// Takes a new command, or makes it wait for its turn.
    /// - Parameter since: when it came first; it is held no longer than from then on.
    private func admit(
        _ request: VolumeRequest, _ payload: UnsafeRawBufferPointer, since: UInt64, at time: EngineTime
    ) {
        if isLocked(request.command) {
            var waiting = unsafe hold(request, payload, at: time)
            waiting.submittedAt = since
            blocked.append(waiting)
            return
        }
        let admission = backPressure.admission(
            byteCount: request.command.journalByteCount, fill: bufferFill, now: time.nanoseconds)
        if held.isEmpty, cuts.writesHeldUntil == nil, admission <= time.nanoseconds, hasRoom(for: request.command) {
            return unsafe apply(request, payload, at: time)
        }
        var waiting = unsafe hold(request, payload, at: time)
        waiting.admission = admission
        waiting.submittedAt = since
        if held.isEmpty, cuts.writesHeldUntil == nil, !hasRoom(for: request.command) {
            effects.append(.report(.bufferFull))
        }
        held.append(waiting)
    }

    /// How much of the upload buffer is used: of its space on the disk, or of its index in memory.
    var bufferFill: Double {
        max(
            Double(journal.store.usedByteCount) / Double(journal.store.totalByteCount),
            Double(dirtyIndexByteCount) / Double(limits.indexByteCount))
    }

    private func hasRoom(for command: VolumeCommand) -> Bool {
        dirtyIndexByteCount < limits.indexByteCount
            && journal.store.hasRoom(forRecordByteCount: command.journalByteCount + journal.waitingByteCount)
    }

    /// Lets held commands go whose time has come, in order; those held too long get BUSY.
    func releaseHeld(at time: EngineTime) {
        isHeldForRoom = false
        guard cuts.writesHeldUntil == nil else { return }
        while let first = held.first {
            isHeldForRoom = first.admission <= time.nanoseconds && !hasRoom(for: first.request.command)
            if first.admission <= time.nanoseconds, !isHeldForRoom {
                held.removeFirst()
                countHeld(first, until: time)
                if isLocked(first.request.command) {
                    blocked.append(first)
                } else {
                    unsafe apply(first.request, UnsafeRawBufferPointer(first.payload.bytes), at: time)
                }
            } else if time.nanoseconds >= first.submittedAt + limits.holdNanoseconds {
                held.removeFirst()
                countHeld(first, until: time)
                finish(first.request.origin, .busy)
            } else {
                return
            }
        }
    }

    private func countHeld(_ held: HeldRequest, until time: EngineTime) {
        statisticsCounters.heldCount += 1
        statisticsCounters.heldNanoseconds += time.nanoseconds - min(time.nanoseconds, held.submittedAt)
    }

    /// Puts an admitted command into the journal.
    private func apply(_ request: VolumeRequest, _ payload: UnsafeRawBufferPointer, at time: EngineTime) {
        let origin = request.origin
        switch request.command {
        case .write(let sectors, let forceUnitAccess):
            statisticsCounters.writeCount += 1
            statisticsCounters.writtenByteCount += UInt64(sectors.byteCount)
            guard sectors.count > 0 else { return finish(origin, .good) }
            _ = unsafe journal.appendWrite(sectors, origin: origin, forceUnitAccess: forceUnitAccess, data: payload)
        case .writeSame(let sectors, let forceUnitAccess):
            guard sectors.count > 0 else { return finish(origin, .good) }
            _ = unsafe journal.appendFill(sectors, origin: origin, forceUnitAccess: forceUnitAccess, sector: payload)
        case .unmap(let ranges):
            let ranges = ranges.filter { $0.count > 0 }
            guard !ranges.isEmpty else { return finish(origin, .good) }
            _ = journal.appendZero(ranges, origin: origin)
        case .compareAndWrite(let sectors, _):
            guard sectors.count > 0 else { return finish(origin, .good) }
            compares[origin] = unsafe CompareAndWrite(
                request: request, sectors: sectors, payload: IOBuffer(copying: payload),
                afterOrdinal: journal.lastOrdinal)
            startCompares(at: time)
            return
        case .read, .flush: preconditionFailure("changes nothing")
        }
        if mutants.contains(.acknowledgeBeforePublish) { finish(origin, .good) }
    }

    private func drop(at time: EngineTime, _ isDoomed: (VolumeRequest) -> Bool) {
        func sweep(_ request: VolumeRequest) -> Bool {
            guard isDoomed(request) else { return false }
            inProgress.remove(request.origin)
            return true
        }
        waitingForOpen.removeAll { sweep($0.request) }
        held.removeAll { sweep($0.request) }
        blocked.removeAll { sweep($0.request) }
        for (origin, compare) in compares where !compare.isWriting && sweep(compare.request) { compares[origin] = nil }
        // What waited for a comparison that is gone has nobody else to wait for.
        releaseBlocked(at: time)
    }

    // MARK: COMPARE AND WRITE

    private func isLocked(_ command: VolumeCommand) -> Bool {
        guard !compares.isEmpty else { return false }
        return compares.values.contains { compare in command.changes(compare.sectors) }
    }

    /// Starts the reads of comparisons whose predecessors are all published.
    func startCompares(at time: EngineTime) {
        // One that ends at once lets others start, so each is looked at anew.
        for origin in compares.keys.sorted(by: { ($0.frontend, $0.number) < ($1.frontend, $1.number) }) {
            guard let compare = compares[origin], compare.operation == nil,
                journal.publishedOrdinal >= compare.afterOrdinal
            else { continue }
            let operation = ReadOperation(
                purpose: .compareAndWrite(origin), sectors: compare.sectors,
                deadline: time.nanoseconds + limits.holdNanoseconds)
            compares[origin]?.operation = operation
            start(operation, at: time)
        }
    }

    /// The current contents are known: write, or answer MISCOMPARE.
    func finishCompare(_ origin: RequestOrigin, with operation: ReadOperation, at time: EngineTime) {
        guard let compare = compares[origin], compare.operation === operation else { return }  // Dropped by a barrier.
        if let failure = operation.failure {
            finish(origin, failure.isTransient ? .busy : .mediumError(sector: failure.sector))
        } else if let difference = compare.firstDifference(from: operation.buffer) {
            finish(origin, .miscompare(byteOffset: difference))
        } else if case .compareAndWrite(let sectors, let forceUnitAccess) = compare.request.command {
            let data = compare.payload
            // Stays locked until it is published.
            compares[origin]?.isWriting = true
            _ = unsafe journal.appendWrite(
                sectors, origin: origin, forceUnitAccess: forceUnitAccess,
                data: UnsafeRawBufferPointer(data.bytes(sectors.byteCount..<2 * sectors.byteCount)))
            if mutants.contains(.acknowledgeBeforePublish) { finish(origin, .good) }
            return
        }
        unlock(origin, at: time)
    }

    /// The comparison is over; what waited for it tries again, in order.
    func unlock(_ origin: RequestOrigin, at time: EngineTime) {
        guard compares.removeValue(forKey: origin) != nil else { return }
        releaseBlocked(at: time)
    }

    private func releaseBlocked(at time: EngineTime) {
        let waiting = blocked
        blocked = []
        for request in waiting {
            unsafe admit(
                request.request, UnsafeRawBufferPointer(request.payload.bytes), since: request.submittedAt, at: time)
        }
    }
}

extension CompareAndWrite {
    fileprivate func firstDifference(from current: IOBuffer) -> Int? {
        (0..<sectors.byteCount).first { payload.load(UInt8.self, at: $0) != current.load(UInt8.self, at: $0) }
    }
}

extension VolumeCommand {
    var changesVolume: Bool {
        switch self {
        case .read, .flush: false
        case .write, .writeSame, .unmap, .compareAndWrite: true
        }
    }

    func changes(_ sectors: SectorRange) -> Bool {
        switch self {
        case .read, .flush: false
        case .write(let range, _), .writeSame(let range, _), .compareAndWrite(let range, _): range.overlaps(sectors)
        case .unmap(let ranges): ranges.contains { $0.overlaps(sectors) }
        }
    }

    /// About what the command takes in the journal.
    var journalByteCount: Int {
        switch self {
        case .read, .flush: 0
        case .write(let range, _), .compareAndWrite(let range, _):
            range.byteCount
                + JournalEntry.byteCount(rangeCount: 1, checksumCount: JournalEntry.checksumCount(of: range))
        case .writeSame: Geometry.blockByteCount + JournalEntry.byteCount(rangeCount: 1, checksumCount: 2)
        case .unmap(let ranges): JournalEntry.byteCount(rangeCount: ranges.count, checksumCount: 0)
        }
    }
}
