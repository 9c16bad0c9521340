// SPDX-License-Identifier: Apache-2.0
import Bus
import ISCSI

/// An answer with data that is being sent.
struct DataInAnswer {
    enum Data {
        case frame(FrameSlice)
        case bytes([UInt8])
    }
    var task: Int
    var data: Data
    var sequence: DataInSequence
}

/// Data-In and the socket's output. Data-In PDUs are made as the output has room, so what waits is the data itself,
/// once, and not a copy of it.
extension Connection {
    var hasAnswersToSend: Bool { sendingHead < sending.count }

    func send(_ task: Int, _ data: DataInAnswer.Data, commandByteCount: Int) {
        guard
            let sequence = machine?.beginDataIn(task, byteCount: commandByteCount, &output.writer, &actions)
        else { return }
        sending.append(DataInAnswer(task: task, data: data, sequence: sequence))
    }

    /// Puts as much Data-In into the output as it may hold.
    private func fillOutput() {
        let limit = owner.configuration.limits.outputByteCount
        while hasAnswersToSend, output.pendingByteCount < limit {
            let task = sending[sendingHead].task
            guard let piece = machine?.nextDataIn(task, &sending[sendingHead].sequence, &actions) else {
                dropFirstAnswer()
                continue
            }
            switch sending[sendingHead].data {
            case .frame(let data): output.append(piece.pdu, data, piece.range)
            case .bytes(let bytes): output.append(piece.pdu, bytes: bytes[piece.range])
            }
            if piece.carriesStatus { dropFirstAnswer() }
        }
    }

    private func dropFirstAnswer() {
        sendingHead += 1
        guard sendingHead == sending.count else { return }
        sending.removeAll(keepingCapacity: true)
        sendingHead = 0
    }

    /// Sends what can be sent now; the loop calls again when the socket has room.
    func flush() {
        while !isClosed {
            fillOutput()
            carryOutReleases()
            let before = output.pendingByteCount
            guard output.flush(to: descriptor) else { return close(.peerClosed) }
            if output.pendingByteCount < before || before == 0 { outputMovedAt = owner.now }
            releaseReads()
            if !output.isEmpty || !hasAnswersToSend { break }
        }
        guard !isClosed else { return }
        if case .closing(let reason) = phase, output.isEmpty { return finishClosing(reason) }
        // Commands that were left unread because of the output go on.
        process()
    }

    /// Sending may only release slots.
    private func carryOutReleases() {
        if !actions.isEmpty { carryOutActions() }
    }

    /// After a logout the initiator closes first; everything else ends here.
    private func finishClosing(_ reason: CloseReason) {
        if reason != .loggedOut { close(reason) }
    }
}
