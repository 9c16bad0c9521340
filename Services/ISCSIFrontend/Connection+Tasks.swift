// SPDX-License-Identifier: Apache-2.0
import Bus
import ISCSI
import Messages
import Platform
import SCSI
import Wire

/// SCSI commands: from the transport to the device server, to the volume, and back.
extension Connection {
    /// Does what the state machine has asked for, and what comes of that. Called from within itself it goes on where
    /// the outer call is.
    func carryOutActions() {
        while nextAction < actions.count, !isClosed {
            nextAction += 1
            carryOut(actions[nextAction - 1])
        }
        actions.removeAll(keepingCapacity: true)
        nextAction = 0
        if !output.isEmpty || hasAnswersToSend { owner.hasOutput(self) }
    }

    private func carryOut(_ action: FullFeatureStateMachine.Action) {
        switch action {
        case .command(let task, let immediate): begin(task, immediate)
        case .data(let task, let offset, let bytes): store(bytes, in: task, at: offset)
        case .wantsData(let task): requestData(task)
        case .execute(let task): execute(task)
        case .released(let task): releaseSlot(task)
        case .manage(let management):
            abandonAborted()
            owner.carryOut(management, for: self)
        case .logout(let request):
            abandonAborted()
            owner.logOut(request, for: self)
        case .close: close(.protocolError)
        }
    }

    // MARK: Beginning

    private func begin(_ task: Int, _ immediate: Range<Int>) {
        guard let command = machine?.command(of: task), let target = session?.target else {
            return close(.protocolError)
        }
        slots[task].receivedAt = MonotonicClock.now().nanoseconds
        let expected = Int(command.expectedDataTransferLength)
        let disposition = target.decoder.begin(
            command.cdb, lun: command.logicalUnit, expectedDataOutByteCount: command.isWrite ? expected : 0)
        var dataOutByteCount: Int
        switch disposition {
        case .complete(let result):
            slots[task].work = .result(result)
            dataOutByteCount = 0
        case .parameterData(let parameters):
            slots[task].work = .parameterData(parameters)
            dataOutByteCount = parameters.dataOutByteCount
        case .medium(let operation):
            let moves = operation.kind == .read ? command.isRead : command.isWrite
            let transfer = operation.transfer(expectedByteCount: moves ? expected : 0)
            slots[task].work =
                transfer.map { .medium(operation, $0) } ?? .check(operation.sectors, operation.result(of: .good))
            dataOutByteCount = transfer == nil ? 0 : operation.dataOutByteCount
        case .unmap(let operation):
            slots[task].work = .unmap(operation)
            dataOutByteCount = 0
        case .check(let sectors, let result):
            slots[task].work = .check(sectors, result)
            dataOutByteCount = 0
        case .deviceServer(let byteCount):
            slots[task].work = .deviceServer(dataOutByteCount: byteCount)
            dataOutByteCount = byteCount
        }
        if command.isWrite, !owner.writeBudget.canHold(min(dataOutByteCount, expected)) {
            slots[task].work = .check(nil, CommandResult(.insufficientResources))
            dataOutByteCount = 0
        }
        let wanted = command.isWrite ? min(dataOutByteCount, expected) : 0
        guard wanted == 0 || takeBuffer(task, wanted, hasDataComing: !immediate.isEmpty || !command.isFinal) else {
            slots[task].work = .result(.busy)
            _ = machine?.begin(task, dataOutByteCount: 0, output: &output.writer, actions: &actions)
            return
        }
        let count = machine?.begin(
            task, dataOutByteCount: dataOutByteCount, output: &output.writer, actions: &actions)
        if let count, count > 0 {
            store(immediate.lowerBound..<immediate.lowerBound + count, in: task, at: 0)
        }
    }

    /// Room for whole sectors, so that a short write can be completed to one.
    /// - Returns: false when there is no memory and the data is already on its way.
    private func takeBuffer(_ task: Int, _ wanted: Int, hasDataComing: Bool) -> Bool {
        let sector = Geometry.sectorByteCount
        let byteCount = (wanted + sector - 1) / sector * sector
        if owner.writeBudget.reserve(byteCount, beside: writeByteCount) {
            giveBuffer(task, byteCount)
            return true
        }
        guard !hasDataComing else { return false }
        slots[task].isWaitingForMemory = true
        owner.writeBudget.wait(.init(connection: id, slot: task, byteCount: byteCount))
        return true
    }

    private func giveBuffer(_ task: Int, _ byteCount: Int) {
        slots[task].buffer = IOBuffer(byteCount: byteCount)
        slots[task].reservedByteCount = byteCount
        slots[task].dataMovedAt = owner.now
        writeByteCount += byteCount
    }

    /// The memory that a command waited for is reserved now.
    func memoryGranted(_ waiter: MemoryBudget.Waiter) {
        slots[waiter.slot].isWaitingForMemory = false
        giveBuffer(waiter.slot, waiter.byteCount)
        machine?.requestData(waiter.slot, output: &output.writer)
        owner.hasOutput(self)
    }

    private func requestData(_ task: Int) {
        guard !slots[task].isWaitingForMemory else { return }
        machine?.requestData(task, output: &output.writer)
    }

    private func store(_ bytes: Range<Int>, in task: Int, at offset: Int) {
        guard let buffer = slots[task].buffer else { return }
        slots[task].dataMovedAt = owner.now
        unsafe framer.storage.withUnsafeBytes { storage in
            unsafe buffer.copy(UnsafeRawBufferPointer(rebasing: storage[bytes]), to: offset)
        }
    }

    // MARK: Executing

    private func execute(_ task: Int) {
        switch slots[task].work {
        case .result(let result): answer(task, result)
        case .parameterData(let command):
            guard let target = session?.target else { return close(.protocolError) }
            let byteCount = machine?.wantedByteCount(of: task) ?? 0
            guard let buffer = slots[task].buffer else {
                return perform(target.decoder.finish(command, dataOut: RawSpan()), task)
            }
            let data = unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(buffer.bytes(0..<byteCount)))
            perform(target.decoder.finish(command, dataOut: data), task)
        case .medium(let operation, let transfer): start(task, operation, transfer)
        case .unmap(let operation): start(task, operation)
        case .check(let sectors, _): ask(task, .check, sectors ?? SectorRange(start: 0, count: 0), dataOut: nil)
        case .deviceServer:
            ask(task, .deviceServerCommand, SectorRange(start: 0, count: 0), dataOut: slots[task].buffer)
        case .idle, .mergeTail, .large: close(.protocolError)
        }
    }

    /// What a command turned out to be once its parameter data was there.
    private func perform(_ disposition: CommandDisposition, _ task: Int) {
        switch disposition {
        case .complete(let result): answer(task, result)
        case .medium(let operation):
            guard let transfer = operation.transfer(expectedByteCount: operation.dataOutByteCount) else {
                return answer(task, operation.result(of: .good))
            }
            slots[task].work = .medium(operation, transfer)
            start(task, operation, transfer)
        case .unmap(let operation):
            slots[task].work = .unmap(operation)
            start(task, operation)
        case .check(let sectors, let result):
            slots[task].work = .check(sectors, result)
            ask(task, .check, sectors ?? SectorRange(start: 0, count: 0), dataOut: nil)
        case .parameterData, .deviceServer: answer(task, CommandResult(.aborted))
        }
    }

    /// The volume's owner gets the CDB and what the initiator has sent with it.
    func ask(_ task: Int, _ operation: IORequest.Operation, _ sectors: SectorRange, dataOut: IOBuffer?) {
        guard let router, let command = machine?.command(of: task) else { return close(.protocolError) }
        let byteCount = dataOut == nil ? 0 : machine?.wantedByteCount(of: task) ?? 0
        let payload = IOBuffer(byteCount: CDB.byteCount + byteCount)
        unsafe command.cdb.bytes.withUnsafeBytes { unsafe payload.copy($0, to: 0) }
        if let dataOut { unsafe payload.copy(UnsafeRawBufferPointer(dataOut.bytes(0..<byteCount)), to: CDB.byteCount) }
        router.submit(operation, sectors, payload: payload, owner: .task(id, slot: task))
    }

    var router: TaskRouter? {
        guard let session, let target = session.target, let link = owner.links[target.manager.id] else { return nil }
        return TaskRouter(link: link, volume: target.volume, nexus: session.nexus)
    }

    private func start(_ task: Int, _ operation: MediumOperation, _ transfer: MediumTransfer) {
        if LargeTransfer.isNeeded(for: operation, transfer) { return startLarge(task, operation, transfer) }
        guard let router else { return close(.protocolError) }
        let caller = RequestOwner.task(id, slot: task)
        if operation.kind == .write, let tail = transfer.tailSector {
            slots[task].work = .mergeTail(operation, transfer)
            return router.submit(.read, tail, of: operation, payload: nil, owner: caller)
        }
        guard operation.kind != .read || takeReadBudget(task, transfer.sectors.byteCount) else { return }
        let payload = operation.dataOutByteCount > 0 ? slots[task].buffer : nil
        // Bits that did not come change nothing.
        if operation.kind == .orWrite { payload?.zero(transfer.byteCount..<transfer.sectors.byteCount) }
        router.submit(operation.kind, transfer.sectors, of: operation, payload: payload, owner: caller)
    }

    /// - Returns: false when the read has to wait for others; `readGranted` follows.
    func takeReadBudget(_ task: Int, _ byteCount: Int) -> Bool {
        if reads.waitingCount == 0, owner.readBudget.reserve(byteCount, beside: reads.reservedByteCount) {
            reads.reserve(byteCount)
            slots[task].readByteCount = byteCount
            return true
        }
        slots[task].isWaitingToRead = true
        reads.waitingCount += 1
        owner.readBudget.wait(.init(connection: id, slot: task, byteCount: byteCount))
        return false
    }

    /// What the read waited for is reserved now.
    func readGranted(_ waiter: MemoryBudget.Waiter) {
        slots[waiter.slot].isWaitingToRead = false
        slots[waiter.slot].readByteCount = waiter.byteCount
        reads.waitingCount -= 1
        reads.reserve(waiter.byteCount)
        if case .large(let large) = slots[waiter.slot].work { return movePiece(waiter.slot, large) }
        guard case .medium(let operation, let transfer) = slots[waiter.slot].work, let router else {
            return close(.protocolError)
        }
        router.submit(
            .read, transfer.sectors, of: operation, payload: nil, owner: .task(id, slot: waiter.slot))
    }

    private func start(_ task: Int, _ operation: UnmapOperation) {
        guard let router else { return close(.protocolError) }
        guard !operation.ranges.isEmpty else { return answer(task, operation.result(of: .good)) }
        router.submit(operation, owner: .task(id, slot: task))
    }

    // MARK: Answers of the volume

    func ownerAnswered(_ task: Int, _ reply: IOReply, payload: FrameSlice?) {
        if let outcome = MediumOutcome(reply) { return volumeAnswered(task, outcome, payload: payload) }
        let status: SCSIStatus
        switch reply.status {
        case .checkCondition: status = .checkCondition
        case .reservationConflict: status = .reservationConflict
        case .aborted: status = .taskAborted
        default: return
        }
        if case .large(let large) = slots[task].work, status == .reservationConflict, large.step == .moving {
            // Not untouched, as that status would say.
            answer(task, large.result(of: .refused))
            return carryOutActions()
        }
        let sense = payload.map { unsafe [UInt8]($0.bytes(0..<$0.byteCount)) } ?? []
        let outcome = TaskOutcome(
            status: status.rawValue, sense: sense, commandByteCount: slots[task].dataOutByteCount)
        machine?.finish(task, outcome, &output.writer, &actions)
        carryOutActions()
    }

    /// - Parameter payload: what a read returns.
    func volumeAnswered(_ task: Int, _ outcome: MediumOutcome, payload: FrameSlice?) {
        let (measured, receivedAt) = (slots[task].measured, slots[task].receivedAt)
        let isGood = outcome == .good && machine?.isAborted(task) == false
        complete(task, outcome, payload)
        if let measured {
            count(measured, isGood: isGood, since: receivedAt)
        }
        carryOutActions()
    }

    /// The answer is queued.
    private func count(
        _ measured: (operation: VolumeOperation, readByteCount: Int, writtenByteCount: Int), isGood: Bool,
        since receivedAt: UInt64
    ) {
        guard let session else { return }
        let now = MonotonicClock.now().nanoseconds
        let nanoseconds = now - min(now, receivedAt)
        session.target?.latencies.record(measured.operation, nanoseconds: nanoseconds)
        guard let figures = session.figures else { return }
        figures.count(measured.operation, nanoseconds: nanoseconds)
        guard isGood else { return }
        figures.readByteCount += UInt64(measured.readByteCount)
        figures.writtenByteCount += UInt64(measured.writtenByteCount)
    }

    private func complete(_ task: Int, _ outcome: MediumOutcome, _ payload: FrameSlice?) {
        switch slots[task].work {
        case .unmap(let operation): answer(task, operation.result(of: outcome))
        case .large(let large): complete(task, large, outcome, payload)
        case .mergeTail(let operation, let transfer):
            guard outcome == .good else { return answer(task, operation.result(of: outcome)) }
            guard let payload, payload.byteCount == Geometry.sectorByteCount, let router,
                let buffer = slots[task].buffer
            else { return answer(task, operation.result(of: .refused)) }
            keepTail(of: payload, transfer, in: buffer)
            slots[task].work = .medium(operation, transfer)
            router.submit(
                .write, transfer.sectors, of: operation, payload: buffer, owner: .task(id, slot: task))
        case .medium(let operation, let transfer):
            guard operation.kind == .read, outcome == .good else {
                return answer(task, operation.result(of: outcome))
            }
            guard let payload, payload.byteCount == transfer.sectors.byteCount else {
                return answer(task, operation.result(of: .refused))
            }
            send(task, .frame(payload), commandByteCount: operation.dataInByteCount)
        case .check(_, let result):
            answer(task, outcome == .good ? result : refusal(outcome, of: task))
        case .deviceServer(let dataOutByteCount):
            guard outcome == .good else { return answer(task, refusal(outcome, of: task)) }
            guard let payload else {
                let outcome = TaskOutcome(status: SCSIStatus.good.rawValue, commandByteCount: dataOutByteCount)
                machine?.finish(task, outcome, &output.writer, &actions)
                return
            }
            send(task, .frame(payload), commandByteCount: payload.byteCount)
        case .idle, .result, .parameterData: close(.protocolError)
        }
    }

    /// What a short write leaves of its last sector.
    func keepTail(of sector: FrameSlice, _ transfer: MediumTransfer, in buffer: IOBuffer) {
        let kept = transfer.partialTailByteCount..<Geometry.sectorByteCount
        unsafe buffer.copy(sector.bytes(kept), to: transfer.byteCount)
    }

    private func refusal(_ outcome: MediumOutcome, of task: Int) -> CommandResult {
        CommandResult(
            outcome, session?.target?.decoder.unit.blockSize ?? .sector,
            dataOutByteCount: slots[task].dataOutByteCount)
    }

    func answer(_ task: Int, _ result: CommandResult) {
        guard result.dataIn.isEmpty else {
            return send(task, .bytes(result.dataIn), commandByteCount: result.transferByteCount)
        }
        let outcome = TaskOutcome(
            status: result.status.rawValue, sense: result.sense?.encoded() ?? [],
            commandByteCount: result.transferByteCount)
        machine?.finish(task, outcome, &output.writer, &actions)
    }

    // MARK: Slots

    func releaseSlot(_ task: Int) {
        releaseBuffer(of: task)
        if slots[task].isWaitingForMemory { owner.writeBudget.forget { $0.connection == id && $0.slot == task } }
        if slots[task].isWaitingToRead {
            owner.readBudget.forget { $0.connection == id && $0.slot == task }
            reads.waitingCount -= 1
        }
        if slots[task].readByteCount > 0 {
            // Its last data is in the output now, as far as there was any.
            reads.leave(slots[task].readByteCount, at: output.sentByteCount + UInt64(output.pendingByteCount))
            releaseReads()
        }
        slots[task] = TaskSlot()
    }

    private func releaseBuffer(of task: Int) {
        let byteCount = slots[task].reservedByteCount
        guard byteCount > 0 else { return }
        slots[task].reservedByteCount = 0
        slots[task].buffer = nil
        writeByteCount -= byteCount
        owner.writeBudget.release(byteCount)
    }

    /// Writes whose data does not come give their memory back, and fail once it does.
    func giveUpMissingData(since moment: UInt64) {
        for task in slots.indices where slots[task].reservedByteCount > 0 && slots[task].dataMovedAt <= moment {
            guard machine?.isCollecting(task) == true else { continue }
            releaseBuffer(of: task)
            machine?.stopCollecting(task, &output.writer, &actions)
        }
        if !actions.isEmpty { carryOutActions() }
    }

    /// Gives back what reads held that are sent.
    func releaseReads() {
        let byteCount = reads.takeSent(output.sentByteCount)
        if byteCount > 0 { owner.readBudget.release(byteCount) }
    }

    func answer(_ management: TaskManagement, _ response: TaskManagementAnswer) {
        machine?.answer(management, response, &output.writer)
        owner.hasOutput(self)
    }

    /// The requests of aborted tasks are never sent again. Those that have been sent may still be applied: their slots
    /// stay taken until a barrier has passed.
    func abandonAborted() {
        for task in slots.indices where isAbandonable(task) {
            let owner = RequestOwner.task(id, slot: task)
            if self.owner.links.drop(where: { $0 == owner }) > 0 {
                session?.pendingAborts.add()
            } else if slots[task].isUnderBarrier == false {
                finishAborted(task)
            }
            slots[task].isUnderBarrier = true
        }
    }

    /// No request of an aborted task can be applied any more.
    func releaseAborted() {
        for task in slots.indices where isAbandonable(task) { finishAborted(task) }
        carryOutActions()
    }

    /// Data-In that was stopped is over as well; the queue finds that out when it comes to it.
    private func isAbandonable(_ task: Int) -> Bool {
        machine?.isAborted(task) == true && !sending[sendingHead...].contains { $0.task == task }
    }

    private func finishAborted(_ task: Int) {
        machine?.finish(task, TaskOutcome(status: 0, commandByteCount: 0), &output.writer, &actions)
    }
}
