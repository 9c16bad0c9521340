// SPDX-License-Identifier: Apache-2.0
package import Engine
import Messages
import Platform
package import SCSI
package import Wire

/// What the logical units do beside reading and writing: the commands of their device servers, the ends of nexuses,
/// task management. An answer that rests on a change of a unit's state is given once the change is on the disk.
extension Shard {
    // MARK: Before a command

    /// Whether the unit refuses a command before the volume sees it. One that the volume has taken already is its own.
    func refusal(
        of traits: CommandDefinition.Traits, _ request: VolumeRequest, on hosted: HostedVolume
    ) -> CommandResult? {
        guard hosted.unit.server.isEventful, hosted.engine?.knows(request.origin) == false else { return nil }
        let origin = CommandOrigin(request)
        return hosted.unit.server.admit(traits, from: origin)
    }

    /// A command that moves nothing, or fails, if the unit has nothing against it.
    func check(_ cdb: CDB, _ sectors: SectorRange, _ origin: CommandOrigin, on hosted: HostedVolume) -> CommandResult {
        refresh(hosted)
        guard let definition = try? CommandTable.definition(of: cdb) else { return CommandResult(.invalidOperationCode) }
        if let refusal = hosted.unit.server.admit(definition.traits, from: origin) { return refusal }
        return hosted.unit.server.unit.holds(sectors) ? .good : CommandResult(.logicalBlockAddressOutOfRange)
    }

    // MARK: The device server's commands

    func perform(_ cdb: CDB, _ dataOut: [UInt8], _ origin: CommandOrigin, on hosted: HostedVolume) {
        refresh(hosted)
        let action = hosted.unit.server.perform(cdb, dataOut: dataOut, from: origin) { [unowned self] designator in
            copyTarget(designator, of: origin.nexus, on: hosted)
        }
        let request = RequestOrigin(frontend: origin.frontend, number: origin.number)
        switch action {
        case .complete(let result): whenSaved(hosted) { $0.answer(request, result) }
        case .flush(let result):
            submitOwn(.flush, to: hosted) { shard, reply in
                shard.whenSaved(hosted) { $0.answer(request, reply.isGood ? result : CommandResult(reply)) }
            }
        case .abortTasks(let nexuses, let result):
            let aborted = Set(nexuses.map(\.rawValue))
            abort(on: hosted) { aborted.contains($0.nexus) } then: { shard in
                shard.whenSaved(hosted) { $0.answer(request, result) }
            }
        case .lbaStatus(let sector, let limit, let allocationLength):
            lbaStatus(from: sector, limit, allocationLength, request, on: hosted)
        case .copy(let operation): CopyRun(operation, on: hosted, self).start()
        case .sanitize(let isImmediate): sanitize(hosted, request, isImmediate: isImmediate)
        case .inProgress: break
        }
    }

    /// - Parameter designator: NAA of a volume that this cache manager has and which the initiator is logged in to.
    private func copyTarget(_ designator: [UInt8], of nexus: NexusID, on own: HostedVolume) -> CopyTarget? {
        for hosted in volumes.values where hosted.unit.server.unit.isNamed(by: designator) {
            let initiator = own.unit.server.initiatorName(of: nexus)
            guard hosted === own || initiator.map(hosted.unit.server.isAttached) ?? false else { return nil }
            refresh(hosted)
            return CopyTarget(volume: hosted.id, sectorCount: hosted.unit.server.unit.sectorCount)
        }
        return nil
    }

    private func lbaStatus(
        from sector: UInt64, _ limit: Int, _ allocationLength: Int, _ request: RequestOrigin, on hosted: HostedVolume
    ) {
        guard let engine = hosted.engine else { return }
        let caller = CallerToken(rawValue: drawNumber())
        provisioningCallers[caller] = { shard, outcome in
            switch outcome {
            case .success(let ranges):
                shard.answer(request, .lbaStatus(ranges, allocationLength: allocationLength))
            case .failure(let failure): shard.answer(request, CommandResult(failure))
            }
        }
        endBatch(hosted)
        engine.provisioning(from: sector, descriptorLimit: limit, caller: caller, at: now)
        touch(hosted)
    }

    /// One command of the journal, so that nobody ever sees half of it; durable before the unit is in use again.
    private func sanitize(_ hosted: HostedVolume, _ request: RequestOrigin?, isImmediate: Bool) {
        if let request, isImmediate { whenSaved(hosted) { $0.answer(request, .good) } }
        if let request, !isImmediate { hosted.unit.sanitizers.append(request) }
        guard !hosted.unit.isSanitizing else { return }
        hosted.unit.isSanitizing = true
        let ranges = SectorRange.all(sectorCount: hosted.unit.server.unit.sectorCount)
        submitOwn(.unmap(ranges), to: hosted) { shard, reply in
            guard reply.isGood else { return shard.sanitizeFailed(hosted, reply) }
            shard.submitOwn(.flush, to: hosted) { shard, reply in
                guard reply.isGood else { return shard.sanitizeFailed(hosted, reply) }
                hosted.unit.isSanitizing = false
                hosted.unit.server.finishSanitize()
                for request in hosted.unit.takeSanitizers() { shard.whenSaved(hosted) { $0.answer(request, .good) } }
            }
        }
    }

    /// It is in the unit's state that it is to be sanitized, so it is tried until it is.
    private func sanitizeFailed(_ hosted: HostedVolume, _ reply: VolumeReply) {
        hosted.unit.isSanitizing = false
        for request in hosted.unit.takeSanitizers() { answer(request, CommandResult(reply)) }
        hosted.unit.sanitizeAgainAt = now.nanoseconds + 1_000_000_000
    }

    // MARK: Nexuses and task management

    /// - Returns: false when the unit has as many nexuses as it takes.
    func sessionBegins(_ nexus: NexusID, _ initiatorPort: String, _ frontend: ServiceInstance, on hosted: HostedVolume)
        -> Bool
    {
        defer { whenSaved(hosted) { _ in } }
        return hosted.unit.server.attach(nexus, initiatorPort: initiatorPort, through: frontend)
    }

    func nexusLost(_ nexus: NexusID, _ frontend: ServiceInstance, on hosted: HostedVolume) {
        hosted.unit.server.lose(nexus, through: frontend)
        whenSaved(hosted) { _ in }
    }

    func manage(_ function: UnitManagement, _ request: RequestOrigin, on hosted: HostedVolume) {
        if hosted.unit.isNew(management: request) {
            switch function {
            // TAS is 1: whose tasks are ended is told by their status.
            case .clearTaskSet: break
            case .logicalUnitReset: hosted.unit.server.reset(.logicalUnit)
            case .targetWarmReset: hosted.unit.server.reset(.targetWarm)
            case .targetColdReset:
                hosted.unit.server.reset(.targetCold)
                hosted.unit.coldResetCount += 1
            }
        }
        abort(on: hosted) { _ in true } then: { shard in
            shard.whenSaved(hosted) { $0.answer(request, .good) }
        }
    }

    // MARK: The state on the disk

    /// Calls once every change of the unit's state so far is on the disk; at once if it is.
    func whenSaved(_ hosted: HostedVolume, _ call: @escaping (Shard) -> Void) {
        let unit = hosted.unit
        if unit.server.takeNeedsSaving() { unit.isStale = true }
        guard unit.isSaving || unit.isStale else { return call(self) }
        unit.whenSaved[unit.whenSaved.count - 1].append { [unowned self] in call(self) }
        saveUnit(of: hosted)
    }

    /// One at a time: the last one saved must be the newest.
    func saveUnit(of hosted: HostedVolume) {
        let unit = hosted.unit
        guard unit.isStale, !unit.isSaving, unit.saveAgainAt == nil, volumes[hosted.id] === hosted else { return }
        (unit.isStale, unit.isSaving) = (false, true)
        unit.whenSaved.append([])
        let (registry, volume, state) = (registry, hosted.id, unit.server.state)
        run(for: hosted) { () -> Result<Void, any Error> in
            Result { try registry.save(state, of: volume) }
        } then: { [self] result in
            unit.isSaving = false
            switch result {
            case .success:
                unit.saveProblem = nil
                for call in unit.whenSaved.removeFirst() { call() }
            case .failure(let error):
                // Nothing is answered that is not on the disk. The next state says all that this one did.
                unit.saveProblem = "the state of its logical unit cannot be saved: \(error)"
                let waiting = unit.whenSaved.removeFirst()
                unit.whenSaved[0] = waiting + unit.whenSaved[0]
                unit.isStale = true
                unit.saveAgainAt = now.nanoseconds + Self.saveInterval
            }
            saveUnit(of: hosted)
        }
    }
}
