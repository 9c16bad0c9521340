// SPDX-License-Identifier: Apache-2.0
package import Wire

/// The full feature phase of one session and its one connection, target side (RFC 7143 §4.2, §11). PDUs go in;
/// answers go to the writer, and what the owner has to do to the list of actions. It holds no data: the owner collects
/// a command's data where the actions say, carries the command out and hands back its outcome.
///
/// Tasks are slots of a fixed table. A slot is free again when the answer is written or, for an aborted task, when the
/// owner says that nothing of it can happen any more.
package struct FullFeatureStateMachine {
    package enum Action: Equatable, Sendable {
        /// A new command; answer with `begin` or `finish`. Immediate data is in these bytes of the receive buffer.
        case command(task: Int, immediate: Range<Int>)
        /// Put these bytes of the receive buffer at this place of the command's data.
        case data(task: Int, bufferOffset: Int, bytes: Range<Int>)
        /// Call `requestData` as soon as there is memory for the command's data.
        case wantsData(task: Int)
        /// All data has come: carry the command out.
        case execute(task: Int)
        /// The slot is free: forget the command and its data.
        case released(task: Int)
        /// Carry out, then call `answer`.
        case manage(TaskManagement)
        /// All tasks are aborted: once nothing of them can happen any more, call `answerLogout`.
        case logout(LogoutRequest)
        case close
    }

    enum Phase: Equatable, Sendable {
        case free
        /// The owner has been told, or the data is still coming.
        case receiving
        case executing
        /// Data-In is being sent.
        case answering
        /// Never answered any more; the slot waits for the owner.
        case aborted
    }

    struct TaskEntry {
        var phase = Phase.free
        var command = SCSICommand()
        var transfer: TransferStateMachine
        /// An answer that waits for the end of the data that was sent unasked.
        var outcome: TaskOutcome?
    }

    package static let immediateTaskLimit = 8

    package let identity: SessionIdentity
    package let connectionID: UInt16
    package internal(set) var parameters: SessionParameters
    package internal(set) var window: CommandWindow
    package private(set) var isLoggingOut = false
    package private(set) var rejectedCount: UInt64 = 0

    var statSN: SerialNumber
    /// The tag of each slot, apart from the slots so that a lookup touches little memory.
    var tags: [UInt32]
    var tasks: [TaskEntry]
    var freeSlots: [Int]
    var immediateTaskCount = 0
    var managementCount = 0
    private var text = TextExchange()
    private var nextTransferTag: UInt32 = 1
    private var pingTag: UInt32?

    package init(
        identity: SessionIdentity, connectionID: UInt16, parameters: SessionParameters, windowDepth: Int,
        expCmdSN: SerialNumber, statSN: SerialNumber
    ) {
        self.identity = identity
        self.connectionID = connectionID
        self.parameters = parameters
        self.statSN = statSN
        window = CommandWindow(expCmdSN: expCmdSN, depth: windowDepth)
        let slotCount = windowDepth + Self.immediateTaskLimit
        let idle = TransferStateMachine(
            expectedByteCount: 0, immediateByteCount: 0, isFinal: true, limits: .init(parameters))
        tags = Array(repeating: TaskTag.reserved, count: slotCount)
        tasks = Array(repeating: TaskEntry(transfer: idle), count: slotCount)
        freeSlots = Array((0..<slotCount).reversed())
    }

    /// - Parameter storage: the receive buffer that the PDU's ranges point into.
    package mutating func receive(
        _ pdu: FramedPDU, storage: RawSpan, directory: some TargetDirectory, output: inout PDUWriter,
        actions: inout [Action]
    ) {
        guard !isLoggingOut else { return }  // What comes behind a logout is not looked at.
        switch pdu.opcode {
        case SCSIDataOut.opcode:
            if identity.isDiscovery {
                reject(pdu.header, .protocolError, &output)
            } else if let dataOut = SCSIDataOut(decoding: pdu.header) {
                receive(dataOut, pdu, &output, &actions)
            }
        case LoginRequest.opcode:
            actions.append(.close)  // A login belongs to the beginning of a connection only.
        case NOPOut.opcode, SCSICommand.opcode, TaskManagementRequest.opcode, TextRequest.opcode, LogoutRequest.opcode:
            receiveNumbered(pdu, storage: storage, directory: directory, &output, &actions)
        case 0x10:
            reject(pdu.header, .protocolError, &output)  // SNACK: nothing to repeat at error recovery level 0.
        default:
            reject(pdu.header, .commandNotSupported, &output)
        }
    }

    /// Requests that carry a CmdSN.
    private mutating func receiveNumbered(
        _ pdu: FramedPDU, storage: RawSpan, directory: some TargetDirectory, _ output: inout PDUWriter,
        _ actions: inout [Action]
    ) {
        let header = pdu.header
        if !pdu.isImmediate {
            let cmdSN = (24..<28).reduce(UInt32(0)) { $0 << 8 | UInt32(header[$1]) }
            guard window.receive(SerialNumber(cmdSN)) == .accept else { return }
        }
        if let command = SCSICommand(decoding: header) {
            return receive(command, pdu, storage: storage, &output, &actions)
        }
        guard !pdu.hasDataDigestError else { return reject(header, .dataDigestError, &output) }
        if let nop = NOPOut(decoding: header) {
            receive(nop, data: storage.extracting(pdu.data), &output)
        } else if let request = TextRequest(decoding: header) {
            receive(request, pdu, storage: storage, directory: directory, &output)
        } else if let request = TaskManagementRequest(decoding: header) {
            guard !identity.isDiscovery else { return reject(header, .protocolError, &output) }
            receive(request, header: header, &output, &actions)
        } else if let request = LogoutRequest(decoding: header) {
            receive(request, &output, &actions)
        }
    }

    // MARK: NOP, text, logout

    private mutating func receive(_ nop: NOPOut, data: RawSpan, _ output: inout PDUWriter) {
        guard nop.initiatorTaskTag != TaskTag.reserved else {
            if nop.targetTransferTag == pingTag { pingTag = nil }
            return
        }
        var answer = NOPIn()
        answer.logicalUnit = nop.logicalUnit
        answer.initiatorTaskTag = nop.initiatorTaskTag
        answer.sequence = takeSequence()
        output.append(answer, data: data.extracting(first: parameters.initiatorDataSegmentLimit))
    }

    /// Asks whether the initiator is still there. It does not advance StatSN.
    package mutating func ping(_ output: inout PDUWriter) {
        var ping = NOPIn()
        let tag = takeTransferTag()
        pingTag = tag
        ping.targetTransferTag = tag
        ping.sequence = sequence
        output.append(ping)
    }

    private mutating func receive(
        _ request: TextRequest, _ pdu: FramedPDU, storage: RawSpan, directory: some TargetDirectory,
        _ output: inout PDUWriter
    ) {
        guard request.initiatorTaskTag != TaskTag.reserved else {
            return reject(pdu.header, .invalidPDUField, &output)
        }
        let data = unsafe storage.extracting(pdu.data).withUnsafeBytes { unsafe [UInt8]($0) }
        switch text.receive(request, data: data, freshTag: takeTransferTag()) {
        case .collect(let tag):
            var answer = TextResponse()
            answer.isFinal = false
            answer.logicalUnit = request.logicalUnit
            answer.initiatorTaskTag = request.initiatorTaskTag
            answer.targetTransferTag = tag
            answer.sequence = takeSequence()
            output.append(answer)
        case .complete(let bytes):
            guard let answers = negotiate(bytes, directory) else {
                return reject(pdu.header, .invalidPDUField, &output)
            }
            text.begin(answer: TextKeys.encode(answers))
            sendText(request, &output)
        case .proceed:
            sendText(request, &output)
        case .refuse(let reason):
            reject(pdu.header, reason, &output)
        }
    }

    private mutating func sendText(_ request: TextRequest, _ output: inout PDUWriter) {
        let tag = takeTransferTag()
        let (part, isLast) = text.nextPart(limit: parameters.initiatorDataSegmentLimit, freshTag: tag)
        var answer = TextResponse()
        answer.isFinal = isLast
        answer.isContinued = !isLast
        answer.logicalUnit = request.logicalUnit
        answer.initiatorTaskTag = request.initiatorTaskTag
        answer.targetTransferTag = isLast ? TaskTag.reserved : tag
        answer.sequence = takeSequence()
        output.append(answer, data: Array(part))
    }

    /// Nil: the request is refused as a whole.
    private mutating func negotiate(_ bytes: [UInt8], _ directory: some TargetDirectory) -> [TextPair]? {
        guard let offers = try? TextKeys.parse(bytes) else { return nil }
        // Nobody needs a key twice, and the whole list of targets is never told more than once.
        guard Set(offers.map(\.key)).count == offers.count else { return nil }
        var answers: [TextPair] = []
        var unknownKeyCount = 0
        var dataSegmentLimit: Int?
        for offer in offers {
            if offer.key == "SendTargets" {
                let query = SendTargets(identity: identity)
                guard let pairs = query.answer(offer.value, from: directory) else { return nil }
                answers += pairs
            } else if offer.key.lowercased().hasPrefix("sendtargets") {
                return nil
            } else if offer.key == "MaxRecvDataSegmentLength" {
                // The one operational key that may change now.
                guard let value = TextValue.number(offer.value), 512...16_777_215 ~= value else { return nil }
                dataSegmentLimit = Int(value)
            } else if Negotiation.isOperational(offer.key) {
                answers.append(TextPair(offer.key, "Reject"))
            } else {
                unknownKeyCount += 1
                guard unknownKeyCount <= Negotiation.unknownKeyLimit else { return nil }
                answers.append(TextPair(offer.key, "NotUnderstood"))
            }
        }
        if let dataSegmentLimit { parameters.initiatorDataSegmentLimit = dataSegmentLimit }
        return answers
    }

    private mutating func receive(_ request: LogoutRequest, _ output: inout PDUWriter, _ actions: inout [Action]) {
        switch request.reason {
        case 1 where request.connectionID != connectionID:
            answerLogout(request, response: 1, &output)
        case 0, 1:
            isLoggingOut = true
            abortAll(&actions)
            actions.append(.logout(request))
        default:
            answerLogout(request, response: 2, &output)
        }
    }

    package mutating func answerLogout(_ request: LogoutRequest, response: UInt8, _ output: inout PDUWriter) {
        var answer = LogoutResponse()
        answer.response = response
        answer.initiatorTaskTag = request.initiatorTaskTag
        answer.secondsToWait = parameters.secondsToWait
        answer.secondsToRetain = parameters.secondsToRetain
        answer.sequence = takeSequence()
        output.append(answer)
    }

    /// Asks the initiator to log out within `seconds`.
    package mutating func requestLogout(seconds: UInt16, _ output: inout PDUWriter) {
        var message = AsyncMessage()
        message.event = 1
        message.parameter3 = seconds
        message.sequence = takeSequence()
        output.append(message)
    }

    /// Says that all connections of the session go now.
    package mutating func announceClose(_ output: inout PDUWriter) {
        var message = AsyncMessage()
        message.event = 3
        message.parameter2 = parameters.secondsToWait
        message.parameter3 = parameters.secondsToRetain
        message.sequence = takeSequence()
        output.append(message)
    }

    // MARK: Common parts

    package mutating func reject(_ header: HeaderBytes, _ reason: RejectReason, _ output: inout PDUWriter) {
        rejectedCount += 1
        var pdu = Reject()
        pdu.reason = reason.rawValue
        pdu.sequence = takeSequence()
        unsafe output.append(pdu, data: header.span.bytes)
    }

    /// For PDUs that carry no status.
    var sequence: TargetSequence {
        TargetSequence(statSN: statSN, expCmdSN: window.expCmdSN, maxCmdSN: window.maxCmdSN)
    }

    /// For PDUs that carry status: each has its own StatSN.
    mutating func takeSequence() -> TargetSequence {
        defer { statSN = statSN.advanced(by: 1) }
        return sequence
    }

    mutating func takeTransferTag() -> UInt32 {
        defer { nextTransferTag = nextTransferTag == TaskTag.reserved - 1 ? 1 : nextTransferTag + 1 }
        return nextTransferTag
    }
}
