// SPDX-License-Identifier: Apache-2.0
import Engine
import Messages
import Platform
import SCSI
import Wire

/// What the logical units do beside reading and writing: the commands of their device servers, the ends of nexuses,
/// task management. An answer that rests on a change of a unit's state is given once the change is on the disk; other
/// answers and logins wait for that too, but not for a disk without room.
extension Shard {
    // MARK: Before a command

    /// Whether the unit refuses a command before the volume sees it. One that the volume has taken already is its own.
    func refusal(
        of traits: CommandDefinition.Traits, _ request: VolumeRequest, on hosted: HostedVolume
    ) -> CommandResult? {
        guard hosted.unit.server.isEventful, let engine = hosted.engine, !engine.knows(request.origin) else {
            return nil
        }
        let origin = CommandOrigin(
            nexus: NexusID(rawValue: request.nexus), frontend: request.origin.frontend,
            number: request.origin.number, lowestOpenNumber: request.lowestOpenNumber)
        defer { if hosted.unit.server.needsSaving { whenSaved(hosted) {} } }
        return hosted.unit.server.admit(traits, from: origin)
    }

    /// A command that moves nothing, or fails, if the unit has nothing against it.
    func check(_ cdb: CDB, _ sectors: SectorRange, _ origin: CommandOrigin, on hosted: HostedVolume) -> CommandResult {
        guard hosted.unit.isLoaded else { return CommandResult(.manualInterventionRequired) }
        refresh(hosted)
        let unit = hosted.unit.server.unit
        defer { if hosted.unit.server.needsSaving { whenSaved(hosted) {} } }
        do throws(SCSIError) {
            let definition = try CommandTable.definition(of: cdb, isSanitizeAllowed: unit.isSanitizeAllowed)
            if let refusal = hosted.unit.server.admit(definition.traits, from: origin) { return refusal }
        } catch {
            return CommandResult(error)
        }
        return unit.contains(sectors) ? .good : CommandResult(.logicalBlockAddressOutOfRange)
    }

    /// The unit as its volume is now; initiators are told of what is new.
    func refresh(_ hosted: HostedVolume) {
        hosted.unit.server.provisioningUse = hosted.provisioningUse
        hosted.unit.server.softThresholdSectorCount = hosted.provisioningThreshold
        let unit = LogicalUnit(hosted)
        guard hosted.unit.isLoaded, unit != hosted.unit.server.unit else { return }
        hosted.unit.server.update(unit)
        whenSaved(hosted) {}
    }

    /// Warns initiators of a volume whose upload buffer runs full and cannot be emptied, once each time; called about
    /// once a second. That a buffer is full while it is emptied only makes writes as slow as the bucket.
    package func watchThresholds() {
        for hosted in volumes.values where hosted.unit.isLoaded {
            let available = hosted.provisioningUse.availableSectorCount ?? .max
            let isStalled = bucketProblem != nil || hosted.isEngineStalled
            guard available < hosted.provisioningThreshold, isStalled || hosted.unit.isPastThreshold else {
                // Not before there is clearly more: at the threshold itself it would be told again and again.
                if available >= hosted.provisioningThreshold * 3 / 2 { hosted.unit.isPastThreshold = false }
                continue
            }
            guard !hosted.unit.isPastThreshold else { continue }
            hosted.unit.isPastThreshold = true
            hosted.unit.server.post(.thinProvisioningSoftThresholdReached)
            whenSaved(hosted) {}
        }
    }

    // MARK: The device server's commands

    func perform(_ cdb: CDB, _ dataOut: [UInt8], _ origin: CommandOrigin, on hosted: HostedVolume) {
        let request = origin.request
        guard hosted.unit.isLoaded else {
            return answer(request, CommandResult(.manualInterventionRequired), on: hosted)
        }
        refresh(hosted)
        for copy in hosted.unit.copies where copy.isObsolete(to: origin) { copy.stop(.drop) {} }
        let (unit, initiator) = (hosted.unit.server.unit, hosted.unit.server.initiatorName(of: origin.nexus))
        let access = hosted.unit.server.access(of: origin.nexus)
        let action = hosted.unit.server.perform(cdb, dataOut: dataOut, from: origin) { volume in
            volume == unit.volume ? CopyTarget(unit) : copyTarget(volume, for: initiator, access)
        }
        switch action {
        case .complete(let result):
            let command = try? CommandTable.definition(of: cdb, isSanitizeAllowed: unit.isSanitizeAllowed).command
            answer(request, result, restsOnState: command?.changesState ?? false, on: hosted)
        case .flush(let result):
            submitOwn(.flush, to: hosted) { [unowned self] reply in
                answer(request, CommandResult(reply, hosted.blockSize) ?? result, on: hosted)
            }
        case .abortTasks(let nexuses, let result):
            abortTasks(on: hosted, of: Set(nexuses)) { [unowned self] in answer(request, result, on: hosted) }
        case .lbaStatus(let sector, let limit, let allocationLength):
            lbaStatus(from: sector, limit, allocationLength, request, on: hosted)
        case .copy(let operation): CopyRun(operation, on: hosted, self).start()
        case .sanitize(let isImmediate):
            if isImmediate { answer(request, .good, on: hosted) } else { hosted.unit.sanitizers.append(request) }
            sanitize(hosted)
        case .inProgress: for copy in hosted.unit.copies where copy.isOf(origin) { copy.resume() }
        }
    }

    func answer(
        _ request: RequestOrigin, _ result: CommandResult, restsOnState: Bool = true, on hosted: HostedVolume
    ) {
        whenSaved(hosted, restsOnIt: restsOnState) { [unowned self] in outlet?.reply(to: request, with: result) }
    }

    private func lbaStatus(
        from sector: UInt64, _ limit: Int, _ allocationLength: Int, _ request: RequestOrigin, on hosted: HostedVolume
    ) {
        guard let engine = hosted.engine else { return }
        let blockSize = hosted.blockSize
        let caller = CallerToken(rawValue: drawNumber())
        provisioningCallers[caller] = { [unowned self] result in
            let answer =
                switch result {
                case .success(let ranges):
                    LBAStatus.result(
                        of: ranges.map(LBAStatus.Extent.init), blockSize, allocationLength: allocationLength)
                case .failure(let failure): CommandResult(failure, blockSize)
                }
            outlet?.reply(to: request, with: answer)
        }
        endBatch(hosted)
        engine.provisioning(from: sector, descriptorLimit: limit, caller: caller, at: now)
        touch(hosted)
    }

    // MARK: Sanitize

    /// One command of the journal, so that nobody ever sees half of it; durable before the unit is in use again. That
    /// it is to be done is in the unit's state, so it is tried until it is.
    func sanitize(_ hosted: HostedVolume) {
        let unit = hosted.unit
        guard unit.server.state.isSanitizing, !unit.isSanitizing else { return }
        unit.isSanitizing = true
        unit.sanitizeAgainAt = nil
        let finish = { [unowned self] (reply: VolumeReply) in
            unit.isSanitizing = false
            let failure = CommandResult(reply, hosted.blockSize)
            if failure == nil { unit.server.finishSanitize() }
            for request in unit.takeSanitizers() { answer(request, failure ?? .good, on: hosted) }
            whenSaved(hosted) {}
            if failure != nil { unit.sanitizeAgainAt = now.nanoseconds + Self.saveInterval }
        }
        submitOwn(.unmap(SectorRange.all(sectorCount: unit.server.unit.sectorCount)), to: hosted) {
            [unowned self] reply in
            guard CommandResult(reply, hosted.blockSize) == nil else { return finish(reply) }
            submitOwn(.flush, to: hosted, then: finish)
        }
    }

    // MARK: Nexuses and task management

    /// - Returns: false when the unit has as many nexuses as it takes.
    func sessionBegins(_ start: SessionStart, _ origin: CommandOrigin, on hosted: HostedVolume) -> Bool {
        guard hosted.unit.isLoaded else { return true }
        stopCopies(.drop, on: hosted) {
            $0.nexus == origin.nexus
        }
        defer {
            whenSaved(hosted) {}
            hosted.unit.sessionsEnded(where: { $0 == origin.nexus }, at: now.nanoseconds)
        }
        return hosted.unit.server.attach(
            initiatorPort: start.initiatorPort, access: start.access, from: origin)
    }

    func nexusLost(_ origin: CommandOrigin, on hosted: HostedVolume) {
        guard hosted.unit.isLoaded else { return }
        hosted.unit.server.lose(from: origin)
        stopCopies(.drop, on: hosted) {
            $0.nexus == origin.nexus
        }
        whenSaved(hosted) {}
        hosted.unit.sessionsEnded(where: { $0 == origin.nexus }, at: now.nanoseconds)
    }

    func frontendLost(_ frontend: ServiceInstance, on hosted: HostedVolume) {
        guard hosted.unit.isLoaded else { return }
        stopCopies(.drop, on: hosted) {
            $0.isOf(frontend)
        }
        hosted.unit.server.lose(allThrough: frontend)
        whenSaved(hosted) {}
        let attached = hosted.unit.server.attachedFrontends
        hosted.unit.sessionsEnded(where: { attached[$0] == nil }, at: now.nanoseconds)
    }

    func manage(_ function: UnitManagement, _ origin: CommandOrigin, on hosted: HostedVolume) {
        guard hosted.unit.isLoaded else { return answer(origin.request, .good, on: hosted) }
        switch function {
        // Whose tasks are ended is told by their status (TAS), not by a unit attention.
        case .clearTaskSet: break
        case .logicalUnitReset: hosted.unit.server.reset(.logicalUnit, from: origin)
        case .targetWarmReset: hosted.unit.server.reset(.targetWarm, from: origin)
        case .targetColdReset: hosted.unit.server.reset(.targetCold, from: origin)
        }
        abortTasks(on: hosted, of: nil) { [unowned self] in
            guard function == .targetColdReset else { return answer(origin.request, .good, on: hosted) }
            whenSessionsEnded(on: hosted, but: origin) { [unowned self] in answer(origin.request, .good, on: hosted) }
        }
    }

    /// Calls when the other frontends have ended their sessions. One that does not see the list of volumes for longer
    /// is not waited for.
    private func whenSessionsEnded(on hosted: HostedVolume, but origin: CommandOrigin, then call: @escaping () -> Void)
    {
        let others = hosted.unit.server.attachedFrontends.filter { $0.value != origin.frontend }
        guard !others.isEmpty else { return call() }
        hosted.unit.coldResets.append((Set(others.keys), now.nanoseconds + Self.coldResetPatience, call))
    }

    /// Frontends ask for the list once a second.
    private static var coldResetPatience: UInt64 { 3_000_000_000 }

    /// Calls when nothing of these tasks can be applied any more; those that waited are answered as aborted.
    /// - Parameter nexuses: nil: all.
    private func abortTasks(
        on hosted: HostedVolume, of nexuses: Set<NexusID>?, then done: @escaping () -> Void
    ) {
        stopCopies(.abort, on: hosted) {
            nexuses?.contains($0.nexus) ?? true
        } then: { [unowned self] in
            guard let engine = hosted.engine else { return done() }
            let caller = CallerToken(rawValue: drawNumber())
            barriers[caller] = done
            endBatch(hosted)
            engine.abort(caller: caller, at: now) { nexuses?.contains(NexusID(rawValue: $0.nexus)) ?? true }
            touch(hosted)
        }
    }

    // MARK: Copies

    /// What a copy may name beside the unit that it was sent to: units that the same initiator is logged in to.
    private func copyTarget(_ volume: VolumeID, for initiator: String?, _ access: String?) -> CopyTarget? {
        guard let initiator, let access, let server = volumes[volume]?.unit.server,
            server.isLoggedIn(initiator, access: access)
        else { return nil }
        return CopyTarget(server.unit)
    }

    /// Calls when nothing of these copies can be applied any more.
    func stopCopies(
        _ stop: CopyRun.Stop, on hosted: HostedVolume, where isAffected: (CopyRun) -> Bool,
        then call: @escaping () -> Void = {}
    ) {
        let affected = hosted.unit.copies.filter(isAffected)
        guard !affected.isEmpty else { return call() }
        var openCount = affected.count
        for copy in affected {
            copy.stop(stop) {
                openCount -= 1
                if openCount == 0 { call() }
            }
        }
    }

    // MARK: Commands of our own

    /// - Parameter payload: of the command's length.
    func submitOwn(
        _ command: VolumeCommand, payload: IOBuffer? = nil, lane: UInt64 = 0, to hosted: HostedVolume,
        then finish: @escaping (VolumeReply) -> Void
    ) {
        guard volumes[hosted.id] === hosted, hosted.engine != nil else { return finish(.writeError) }
        var request = ownRequests.request(command, lane: lane, to: hosted.id, then: finish)
        // Whoever asked for a copy may be one who does not know of the write cache.
        request.forceUnitAccess = hosted.unit.server.state.writeCacheReaders != nil
        let bytes = unsafe UnsafeRawBufferPointer(payload?.bytes ?? UnsafeMutableRawBufferPointer(start: nil, count: 0))
        unsafe submit(request, payload: bytes, to: hosted, at: now)
    }

    /// What waits of this lane ends as aborted; what is in the journal is answered as ever.
    func takeBack(_ lane: UInt64, from hosted: HostedVolume) {
        guard let engine = hosted.engine else { return }
        let caller = CallerToken(rawValue: drawNumber())
        barriers[caller] = { [unowned self] in
            let lost = ownRequests.take(of: hosted.id, lane: lane) { hosted.engine?.knows($0) != true }
            for finish in lost { finish(.aborted) }
        }
        endBatch(hosted)
        engine.barrier(frontend: ownRequests.instance, nexus: lane, caller: caller, at: now)
        touch(hosted)
    }

    // MARK: The state on the disk

    /// Calls once every change of the unit's state so far is on the disk; at once if it is.
    /// - Parameter restsOnIt: whether the call must not be made as long as that fails, for want of room on the disk.
    func whenSaved(_ hosted: HostedVolume, restsOnIt: Bool = true, _ call: @escaping () -> Void) {
        let unit = hosted.unit
        // What is not known yet, or never will be, must not take the place of what was saved.
        guard unit.isLoaded else { return call() }
        if unit.server.takeNeedsSaving() { unit.isStale = true }
        guard unit.isSaving || unit.isStale else { return call() }
        if restsOnIt || unit.saveProblem == nil { unit.waiting.append((restsOnIt, call)) } else { call() }
        // What has failed is tried again in its time, however much is asked meanwhile.
        if unit.saveAgainAt == nil { saveUnit(of: hosted) }
    }

    /// One at a time: the last one saved must be the newest.
    func saveUnit(of hosted: HostedVolume) {
        let unit = hosted.unit
        guard unit.isStale, !unit.isSaving, volumes[hosted.id] === hosted else { return }
        (unit.isStale, unit.isSaving, unit.saveAgainAt) = (false, true, nil)
        let waiting = unit.waiting
        unit.waiting = []
        let (registry, volume, state) = (registry, hosted.id, unit.server.state)
        let takeOvers = unit.unsavedTakeOvers
        run(for: hosted) { () -> Result<Void, any Error> in
            Result { try registry.save(state, of: volume) }
        } then: { [self] result in
            unit.isSaving = false
            if case .failure(let error) = result {
                // The next state says all that this one did.
                unit.saveProblem = "the state of its logical unit cannot be saved: \(error)"
                let all = waiting + unit.waiting
                unit.waiting = all.filter(\.restsOnIt)
                unit.isStale = true
                unit.saveAgainAt = now.nanoseconds + Self.saveInterval
                for other in all where !other.restsOnIt { other.call() }
                return
            }
            unit.saveProblem = nil
            unit.unsavedTakeOvers.subtract(takeOvers)
            for saved in waiting { saved.call() }
            if !unit.isStale, !unit.isSaving {
                // What only waited for this one to end.
                let more = unit.waiting
                unit.waiting = []
                for saved in more { saved.call() }
            }
            saveUnit(of: hosted)
        }
    }

    /// What could not be done a moment ago.
    func advanceUnit(of hosted: HostedVolume, at nanoseconds: UInt64) {
        if let due = hosted.unit.saveAgainAt, due <= nanoseconds { saveUnit(of: hosted) }
        if let due = hosted.unit.sanitizeAgainAt, due <= nanoseconds { sanitize(hosted) }
        hosted.unit.sessionsEnded(where: { _ in false }, at: nanoseconds)
    }
}
