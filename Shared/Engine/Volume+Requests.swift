// SPDX-License-Identifier: Apache-2.0
import DequeModule
import Platform
import Wire

/// A command that waits, with a copy of its payload.
struct HeldRequest {
    var request: VolumeRequest
    var payload: IOBuffer
    var submittedAt: UInt64
    /// When back-pressure lets it go.
    var admission: UInt64
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
        case .compare(let sectors): unsafe compare(sectors, with: payload, for: request.origin, at: time)
        case .prefetch(let sectors): prefetch(sectors, for: request.origin)
        case .flush: flush(request.origin)
        case .write, .writeSame, .unmap, .compareAndWrite, .orWrite:
            guard !isRepeat(request.origin) else { return }
            inProgress.insert(request.origin)
            unsafe admit(request, payload, since: time.nanoseconds, at: time)
        }
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
        case .aborted where mutants.contains(.forgetAborted): break
        case .miscompare, .mediumError, .aborted:
            refusals[origin.frontend, default: []].append((origin.number, result))
        default: break
        }
        reply(origin, result)
    }

    private func isInRange(_ command: VolumeCommand) -> Bool {
        let sectorCount = byteCount / UInt64(Geometry.sectorByteCount)
        return command.sectors.allSatisfy { range in
            range.start <= sectorCount && UInt64(range.count) <= sectorCount - range.start
        }
    }

    /// Whether a request is being carried out, or was: then it is not to be judged anew.
    package func knows(_ origin: RequestOrigin) -> Bool {
        inProgress.contains(origin) || refusals[origin.frontend]?.contains { $0.number == origin.number } ?? false
            || journal.table.verdict(on: origin) != .new
    }

    func isRepeat(_ origin: RequestOrigin) -> Bool {
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
    func admit(
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
        let (origin, forceUnitAccess) = (request.origin, request.forceUnitAccess)
        switch request.command {
        case .write(let sectors):
            statisticsCounters.writeCount += 1
            statisticsCounters.writtenByteCount += UInt64(sectors.byteCount)
            guard sectors.count > 0 else { return finish(origin, .good) }
            _ = unsafe journal.appendWrite(sectors, origin: origin, forceUnitAccess: forceUnitAccess, data: payload)
        case .writeSame(let sectors):
            guard sectors.count > 0 else { return finish(origin, .good) }
            _ = unsafe journal.appendFill(sectors, origin: origin, forceUnitAccess: forceUnitAccess, pattern: payload)
        case .unmap(let ranges):
            let ranges = ranges.filter { $0.count > 0 }
            guard !ranges.isEmpty else { return finish(origin, .good) }
            _ = journal.appendZero(ranges, origin: origin, forceUnitAccess: forceUnitAccess)
        case .compareAndWrite(let sectors), .orWrite(let sectors):
            guard sectors.count > 0 else { return finish(origin, .good) }
            return unsafe modify(sectors, request, payload, at: time)
        case .read, .compare, .prefetch, .flush: preconditionFailure("changes nothing")
        }
        if mutants.contains(.acknowledgeBeforePublish) { finish(origin, .good) }
    }
}
