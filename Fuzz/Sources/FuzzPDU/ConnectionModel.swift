// SPDX-License-Identifier: Apache-2.0
import FuzzInitiator
import FuzzSupport
import ISCSI
import SCSI
import Wire

/// The frontend's connection without socket, volume and memory budget: carries out what the state machines say, and
/// holds them to their promises.
final class ConnectionModel {
    enum Work: Equatable {
        case idle
        /// Data is collected; `arrived` bytes of `wanted` are here.
        case collecting(wanted: Int, arrived: Int)
        /// With the volume.
        case executing
    }

    private static let inputLimit = 1 << 16

    let environment: FuzzLoginEnvironment
    private let windowDepth: Int
    private var framer = PDUFramer()
    private var login: LoginStateMachine
    private var machine: FullFeatureStateMachine?
    private var writer = PDUWriter()
    private var actions: [FullFeatureStateMachine.Action] = []
    private var work: [Work] = []
    private var waitingForMemory: Set<Int> = []
    private var managements: [TaskManagement] = []
    private var logouts: [LogoutRequest] = []
    private var sending: [(task: Int, sequence: DataInSequence)] = []
    private var dataSegmentLimit = PDUFramer.loginDataSegmentLimit
    private var audit = AnswerAudit()
    private(set) var isClosed = false
    /// What a command takes and whether memory is scarce: the input says so once for a while.
    private var dataOutByteCount = 4096
    private var isMemoryScarce = false
    private var refusesCommands = false

    init(_ input: inout FuzzInput) {
        environment = FuzzLoginEnvironment(&input)
        var limits = NegotiationLimits()
        limits.requiresInitialR2T = input.flag()
        limits.dataSegmentByteCount = 512 + input.choice(256)
        limits.firstBurstByteCount = 512 + UInt64(input.choice(256))
        limits.maxBurstByteCount = limits.firstBurstByteCount + UInt64(input.choice(256)) * 16
        limits.maxOutstandingR2T = 1 + UInt64(input.choice(20))
        windowDepth = 1 + input.choice(6)
        login = LoginStateMachine(limits: limits, windowDepth: windowDepth)
    }

    // MARK: Input

    func receive(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty, !isClosed {
            let count = framer.append(rest)
            precondition(count > 0, "no room, and no PDU")
            rest = rest.dropFirst(count)
            process()
        }
    }

    private func process() {
        while !isClosed {
            do throws(ISCSIError) {
                guard let pdu = try framer.next() else { return }
                handle(pdu)
            } catch {
                if case .rejectAndClose(let reason) = error.disposition {
                    machine?.reject(framer.refusedHeader, reason, &writer)
                }
                isClosed = true
            }
        }
    }

    private func handle(_ pdu: FramedPDU) {
        let all = 0..<framer.storage.count
        precondition(pdu.data.clamped(to: all) == pdu.data && pdu.data.count <= framer.dataSegmentLimit, "data range")
        precondition(pdu.additionalHeader.clamped(to: all) == pdu.additionalHeader, "additional header range")
        PDUStability.check(pdu.header)
        let before = writer.bytes.count
        if machine == nil {
            carryOut(login.receive(pdu.header, data: Array(framer.storage[pdu.data]), environment: environment))
        } else {
            unsafe machine?.receive(
                pdu, storage: framer.storage.span.bytes, directory: environment, output: &writer, actions: &actions)
            carryOutActions()
        }
        let limit = 2 * TextKeys.exchangeByteLimit + environment.directoryByteCount + 2 * pdu.data.count
        precondition(writer.bytes.count - before <= limit, "a PDU has a long answer")
    }

    private func carryOut(_ action: LoginStateMachine.Action) {
        switch action {
        case .answer(let response, let text):
            precondition(text.count <= PDUFramer.loginDataSegmentLimit, "a long login answer")
            writer.append(response, data: text)
        case .establish(let identity, _, let connectionID):
            precondition(!environment.requiresCHAP || login.authenticatedUserName != nil, "nobody has proven anything")
            carryOut(login.admit(tsih: 7))
            begin(identity, connectionID)
        case .fail(let response, let text):
            writer.append(response, data: text)
            isClosed = true
        case .close: isClosed = true
        }
    }

    private func begin(_ identity: SessionIdentity, _ connectionID: UInt16) {
        let parameters = login.parameters
        let machine = FullFeatureStateMachine(
            identity: identity, connectionID: connectionID, parameters: parameters, windowDepth: windowDepth,
            expCmdSN: login.expCmdSN, statSN: login.statSN)
        self.machine = machine
        work = Array(repeating: .idle, count: machine.slotCount)
        framer.beginFullFeaturePhase(
            dataSegmentLimit: max(parameters.targetDataSegmentLimit, PDUFramer.loginDataSegmentLimit),
            digests: parameters.digests)
        readAnswers()
        writer.digests = parameters.digests
        audit.begin(parameters)
    }

    // MARK: Actions

    private func carryOutActions() {
        var next = 0
        while next < actions.count {
            let action = actions[next]
            next += 1
            carryOut(action)
        }
        actions.removeAll()
    }

    private func carryOut(_ action: FullFeatureStateMachine.Action) {
        switch action {
        case .command(let task, let immediate): begin(task, immediate)
        case .data(let task, let bufferOffset, let bytes): store(bytes, of: task, at: bufferOffset)
        case .wantsData(let task):
            precondition(work[task] != .idle, "data for nothing")
            if !waitingForMemory.contains(task) { machine?.requestData(task, output: &writer) }
        case .execute(let task):
            guard case .collecting = work[task] else { preconditionFailure("executed without having begun") }
            precondition(!waitingForMemory.contains(task), "executed without memory")
            work[task] = .executing
        case .released(let task):
            precondition(work[task] != .idle || !sending.contains { $0.task == task }, "released twice")
            work[task] = .idle
            waitingForMemory.remove(task)
        case .manage(let management):
            finishAborted()
            managements.append(management)
        case .logout(let request):
            finishAborted()
            logouts.append(request)
        case .close: isClosed = true
        }
    }

    private func begin(_ task: Int, _ immediate: Range<Int>) {
        precondition(work[task] == .idle, "a slot is used twice")
        guard let command = machine?.command(of: task) else { preconditionFailure("an action without a session") }
        precondition(!(command.isRead && command.isWrite), "a bidirectional command")
        let expected = command.isWrite ? Int(command.expectedDataTransferLength) : 0
        let wanted = min(refusesCommands ? 0 : dataOutByteCount, expected)
        work[task] = .collecting(wanted: wanted, arrived: 0)
        // As the frontend does: what is already on its way cannot wait.
        if isMemoryScarce, wanted > 0, immediate.isEmpty, command.isFinal { waitingForMemory.insert(task) }
        let count = machine?.begin(task, dataOutByteCount: wanted, output: &writer, actions: &actions) ?? 0
        precondition(count <= immediate.count && count <= wanted, "more immediate data than there is")
        if count > 0 { store(immediate.lowerBound..<immediate.lowerBound + count, of: task, at: 0) }
    }

    private func store(_ bytes: Range<Int>, of task: Int, at offset: Int) {
        precondition(bytes.clamped(to: 0..<framer.storage.count) == bytes, "data outside of the receive buffer")
        guard case .collecting(let wanted, let arrived) = work[task] else { preconditionFailure("data for nothing") }
        precondition(!waitingForMemory.contains(task), "data that has no memory")
        precondition(offset == arrived && offset + bytes.count <= wanted, "data outside of the command's")
        work[task] = .collecting(wanted: wanted, arrived: arrived + bytes.count)
    }

    /// As `Connection.abandonAborted`: nothing of a volume is on its way here.
    private func finishAborted() {
        for task in work.indices where machine?.isAborted(task) == true && !sending.contains(where: { $0.task == task })
        {
            machine?.finish(task, TaskOutcome(status: 0, commandByteCount: 0), &writer, &actions)
        }
    }

    // MARK: The volume and the clock

    /// Ends one of the commands that are being executed.
    func volumeAnswers(_ input: inout FuzzInput) {
        let executing = work.indices.filter { index in
            work[index] == .executing && !sending.contains { $0.task == index }
        }
        guard !executing.isEmpty, let command = machine?.command(of: executing[0]) else { return }
        let task = executing[input.choice(executing.count)]
        switch input.choice(3) {
        case 0: finish(task, TaskOutcome(status: 0, commandByteCount: Int(command.expectedDataTransferLength & 0xfff)))
        case 1: finish(task, TaskOutcome(status: 2, sense: Sense.none.encoded(), commandByteCount: input.choice(256)))
        default:
            let byteCount = Int(input.integer(UInt16.self) & 0x1fff)
            if let sequence = machine?.beginDataIn(task, byteCount: byteCount, &writer, &actions) {
                sending.append((task, sequence))
            }
            carryOutActions()
        }
    }

    private func finish(_ task: Int, _ outcome: TaskOutcome) {
        machine?.finish(task, outcome, &writer, &actions)
        carryOutActions()
    }

    func sendData(pieceCount: Int) {
        for _ in 0..<pieceCount where !sending.isEmpty {
            let task = sending[0].task
            guard let piece = machine?.nextDataIn(task, &sending[0].sequence, &actions) else {
                sending.removeFirst()
                carryOutActions()
                continue
            }
            let data = [UInt8](repeating: 0x5a, count: piece.range.count)
            writer.append(piece.pdu, data: data)
            if piece.carriesStatus { sending.removeFirst() }
            carryOutActions()
        }
    }

    func other(_ input: inout FuzzInput) {
        switch input.choice(9) {
        case 0: dataOutByteCount = Int(input.integer(UInt16.self))
        case 1: isMemoryScarce.toggle()
        case 2: refusesCommands.toggle()
        case 3:
            guard let task = waitingForMemory.min() else { return }
            waitingForMemory.remove(task)
            machine?.requestData(task, output: &writer)
        case 4:
            guard !managements.isEmpty else { return }
            machine?.answer(managements.removeFirst(), .complete, &writer)
        case 5:
            guard !logouts.isEmpty else { return }
            machine?.answerLogout(logouts.removeFirst(), response: 0, &writer)
        case 6: machine?.ping(&writer)
        case 7: machine?.requestLogout(seconds: 3, &writer)
        default:
            finishAborted()
            carryOutActions()
        }
    }

    // MARK: Output

    private var answers: [(header: HeaderBytes, data: [UInt8])] = []

    func takeAnswers() -> [(header: HeaderBytes, data: [UInt8])] {
        readAnswers()
        defer { answers = [] }
        return answers
    }

    /// Cuts what was written into PDUs again: it is what an initiator would see.
    private func readAnswers() {
        guard !writer.bytes.isEmpty else { return }
        answers += audit.read(writer.bytes, digests: writer.digests)
        if let machine { audit.check(machine) }
        writer.bytes = []
    }

    /// The peer goes away: nothing may be left behind.
    func close() {
        _ = takeAnswers()
        login.abandon(environment: environment)
        precondition(environment.challengeCount == 0, "a challenge is remembered for ever")
        guard var machine else { return }
        sendData(pieceCount: Self.inputLimit)
        machine = self.machine ?? machine
        machine.abortAll(&actions)
        for task in work.indices where machine.isAborted(task) && !sending.contains(where: { $0.task == task }) {
            machine.finish(task, TaskOutcome(status: 0, commandByteCount: 0), &writer, &actions)
        }
        precondition(machine.openTaskCount == 0, "a task is left over")
    }
}
