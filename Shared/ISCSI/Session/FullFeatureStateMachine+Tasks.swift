// SPDX-License-Identifier: Apache-2.0
import SCSI
import Wire

/// SCSI commands and their data.
extension FullFeatureStateMachine {
    /// Only for slots that an action named and that were not released since.
    package func command(of task: Int) -> SCSICommand {
        precondition(tasks[task].phase != .free)
        return tasks[task].command
    }

    package func wantedByteCount(of task: Int) -> Int { tasks[task].transfer.wantedByteCount }

    package func isAborted(_ task: Int) -> Bool { tasks[task].phase == .aborted }

    package var slotCount: Int { tasks.count }

    /// Commands that are not answered yet.
    package var openTaskCount: Int { tasks.count - freeSlots.count }

    // MARK: Commands

    mutating func receive(
        _ command: SCSICommand, _ pdu: FramedPDU, storage: RawSpan, _ output: inout PDUWriter,
        _ actions: inout [Action]
    ) {
        guard !identity.isDiscovery else { return reject(pdu.header, .protocolError, &output) }
        guard command.initiatorTaskTag != TaskTag.reserved else {
            return reject(pdu.header, .invalidPDUField, &output)
        }
        guard !tags.contains(command.initiatorTaskTag) else { return reject(pdu.header, .taskInProgress, &output) }
        if command.isImmediate, immediateTaskCount == Self.immediateTaskLimit {
            return reject(pdu.header, .tooManyImmediateCommands, &output)
        }
        var isBidirectional = command.isRead && command.isWrite
        if !pdu.additionalHeader.isEmpty {
            let bytes = unsafe storage.extracting(pdu.additionalHeader).withUnsafeBytes { unsafe [UInt8]($0) }
            guard let segments = try? AdditionalHeader(bytes) else {
                return reject(pdu.header, .invalidPDUField, &output)
            }
            isBidirectional = isBidirectional || segments.isBidirectional
        }
        guard isImmediateDataAllowed(pdu.data.count, of: command) else {
            return reject(pdu.header, .protocolError, &output)
        }

        let task = take(command, immediateByteCount: pdu.data.count)
        if pdu.hasDataDigestError {
            reject(pdu.header, .dataDigestError, &output)
            tasks[task].transfer.fail()
            settle(task, &output, &actions)
        } else if isBidirectional {
            finish(task, .bidirectional, &output, &actions)
        } else {
            actions.append(.command(task: task, immediate: pdu.data))
        }
    }

    private func isImmediateDataAllowed(_ byteCount: Int, of command: SCSICommand) -> Bool {
        byteCount == 0
            || parameters.immediateData && command.isWrite && byteCount <= parameters.firstBurstByteCount
                && byteCount <= Int(command.expectedDataTransferLength)
    }

    private mutating func take(_ command: SCSICommand, immediateByteCount: Int) -> Int {
        guard let task = freeSlots.popLast() else { preconditionFailure("the window has as many places as the table") }
        if command.isImmediate { immediateTaskCount += 1 } else { window.open() }
        tags[task] = command.initiatorTaskTag
        tasks[task].phase = .receiving
        tasks[task].command = command
        tasks[task].outcome = nil
        tasks[task].transfer = TransferStateMachine(
            expectedByteCount: Int(command.expectedDataTransferLength), immediateByteCount: immediateByteCount,
            isFinal: command.isFinal || !command.isWrite, limits: .init(parameters))
        return task
    }

    /// The command is understood and takes `dataOutByteCount` bytes (or as many as the initiator expects to send).
    /// `execute` follows, at once when there is nothing to wait for.
    /// - Returns: how many bytes of the immediate data belong to the command.
    package mutating func begin(
        _ task: Int, dataOutByteCount: Int, output: inout PDUWriter, actions: inout [Action]
    ) -> Int {
        precondition(tasks[task].phase == .receiving)
        let command = tasks[task].command
        let expected = command.isWrite ? Int(command.expectedDataTransferLength) : 0
        tasks[task].transfer.want(min(dataOutByteCount, expected))
        let immediate = min(tasks[task].transfer.arrivedByteCount, tasks[task].transfer.wantedByteCount)
        settle(task, &output, &actions)
        return immediate
    }

    // MARK: Data-Out

    mutating func receive(
        _ dataOut: SCSIDataOut, _ pdu: FramedPDU, _ output: inout PDUWriter, _ actions: inout [Action]
    ) {
        if pdu.hasDataDigestError { reject(pdu.header, .dataDigestError, &output) }
        // Data for a task that was aborted or answered is still on its way for a while: dropped.
        guard dataOut.initiatorTaskTag != TaskTag.reserved,
            let task = tags.firstIndex(of: dataOut.initiatorTaskTag), tasks[task].phase == .receiving
        else { return }
        if dataOut.logicalUnit != tasks[task].command.logicalUnit, dataOut.targetTransferTag != TaskTag.reserved {
            tasks[task].transfer.fail()
        }
        let offset = tasks[task].transfer.arrivedByteCount
        let count = tasks[task].transfer.receive(
            dataOut, byteCount: pdu.data.count, isIntact: !pdu.hasDataDigestError)
        if count > 0 {
            let first = pdu.data.lowerBound
            actions.append(.data(task: task, bufferOffset: offset, bytes: first..<first + count))
        }
        settle(task, &output, &actions)
    }

    package func isCollecting(_ task: Int) -> Bool { tasks[task].phase == .receiving }

    /// Takes no more data for a command; it fails once everything that was asked for has come.
    package mutating func stopCollecting(_ task: Int, _ output: inout PDUWriter, _ actions: inout [Action]) {
        precondition(tasks[task].phase == .receiving)
        tasks[task].transfer.fail()
        settle(task, &output, &actions)
    }

    /// Asks for data: the owner has the memory for it.
    package mutating func requestData(_ task: Int, output: inout PDUWriter) {
        precondition(tasks[task].phase == .receiving)
        while tasks[task].transfer.canRequest {
            guard let request = tasks[task].transfer.request(tag: takeTransferTag()) else { return }
            var pdu = ReadyToTransfer()
            pdu.logicalUnit = tasks[task].command.logicalUnit
            pdu.initiatorTaskTag = tasks[task].command.initiatorTaskTag
            pdu.targetTransferTag = request.targetTransferTag
            pdu.sequence = sequence
            pdu.r2tSN = request.r2tSN
            pdu.bufferOffset = UInt32(request.bufferOffset)
            pdu.desiredDataTransferLength = UInt32(request.byteCount)
            output.append(pdu)
        }
    }

    /// Goes on with a task whose data moved.
    private mutating func settle(_ task: Int, _ output: inout PDUWriter, _ actions: inout [Action]) {
        guard tasks[task].transfer.isSettled else {
            if tasks[task].transfer.canRequest { actions.append(.wantsData(task: task)) }
            return
        }
        if let outcome = tasks[task].outcome {
            respond(task, outcome, &output, &actions)
        } else if tasks[task].transfer.hasFailed {
            respond(task, .dataTransferFailed, &output, &actions)
        } else {
            tasks[task].phase = .executing
            actions.append(.execute(task: task))
        }
    }

    // MARK: Answers

    /// The command is over without data to send. What the initiator sends unasked is consumed first.
    package mutating func finish(
        _ task: Int, _ outcome: TaskOutcome, _ output: inout PDUWriter, _ actions: inout [Action]
    ) {
        precondition(tasks[task].phase != .free && tasks[task].phase != .answering)
        guard tasks[task].phase != .aborted else { return release(task, &actions) }
        if tasks[task].phase == .receiving, !tasks[task].transfer.isSettled {
            tasks[task].outcome = outcome
            tasks[task].transfer.fail()
            if !tasks[task].transfer.isSettled { return }
        }
        respond(task, outcome, &output, &actions)
    }

    private mutating func respond(
        _ task: Int, _ outcome: TaskOutcome, _ output: inout PDUWriter, _ actions: inout [Action]
    ) {
        let command = tasks[task].command
        let residual = Residual(
            expected: command.expectedDataTransferLength, commandByteCount: outcome.commandByteCount)
        var pdu = SCSIResponse()
        pdu.initiatorTaskTag = command.initiatorTaskTag
        pdu.status = outcome.status
        pdu.flags = 0x80 | residual.flag
        pdu.residual = residual.byteCount
        pdu.expDataSN = tasks[task].transfer.r2tCount
        release(task, &actions)
        pdu.sequence = takeSequence()
        guard !outcome.sense.isEmpty else { return output.append(pdu) }
        let length = UInt16(outcome.sense.count)
        output.append(pdu, data: [UInt8(length >> 8), UInt8(truncatingIfNeeded: length)] + outcome.sense)
    }

    /// The command is over and returns `byteCount` bytes with status GOOD. Nil: there is nothing to send, because the
    /// initiator expects none or the task was aborted; it is answered and released.
    package mutating func beginDataIn(
        _ task: Int, byteCount: Int, _ output: inout PDUWriter, _ actions: inout [Action]
    ) -> DataInSequence? {
        let command = tasks[task].command
        let expected = command.isRead ? Int(command.expectedDataTransferLength) : 0
        let sent = min(expected, byteCount)
        guard sent > 0, tasks[task].phase == .executing else {
            finish(task, TaskOutcome(status: 0, commandByteCount: byteCount), &output, &actions)
            return nil
        }
        tasks[task].phase = .answering
        return DataInSequence(
            initiatorTaskTag: command.initiatorTaskTag, byteCount: sent,
            residual: Residual(expected: command.expectedDataTransferLength, commandByteCount: byteCount),
            parameters: parameters)
    }

    /// Writes the header of the next Data-In; its data follows at once. Nil: the task was aborted meanwhile, and the
    /// slot is released.
    package mutating func nextDataIn(
        _ task: Int, _ sequence: inout DataInSequence, _ actions: inout [Action]
    ) -> DataInSequence.Piece? {
        sequence.dataSegmentLimit = parameters.initiatorDataSegmentLimit
        guard tasks[task].phase == .answering, var piece = sequence.next() else {
            release(task, &actions)
            return nil
        }
        if piece.carriesStatus {
            release(task, &actions)
            piece.pdu.sequence = takeSequence()
        } else {
            // Without status, StatSN is reserved (RFC 7143 §11.7.2).
            piece.pdu.sequence = self.sequence
            piece.pdu.sequence.statSN = SerialNumber(0)
        }
        return piece
    }

    mutating func release(_ task: Int, _ actions: inout [Action]) {
        precondition(tasks[task].phase != .free)
        if tasks[task].command.isImmediate { immediateTaskCount -= 1 } else { window.close() }
        tags[task] = TaskTag.reserved
        tasks[task].phase = .free
        tasks[task].outcome = nil
        freeSlots.append(task)
        actions.append(.released(task: task))
    }
}
