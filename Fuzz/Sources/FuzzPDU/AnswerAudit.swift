// SPDX-License-Identifier: Apache-2.0
import ISCSI
import Wire

/// What every initiator may rely on in what it receives.
struct AnswerAudit {
    private var framer = PDUFramer()
    private var parameters = SessionParameters()
    private var isFullFeature = false
    private var statSN: SerialNumber?
    private var maxCmdSN: SerialNumber?

    mutating func begin(_ parameters: SessionParameters) {
        self.parameters = parameters
        isFullFeature = true
    }

    mutating func check(_ machine: FullFeatureStateMachine) {
        // A session's limit may change; what is on its way keeps to the older one.
        parameters.initiatorDataSegmentLimit = max(
            parameters.initiatorDataSegmentLimit, machine.parameters.initiatorDataSegmentLimit)
        precondition(machine.openTaskCount <= machine.slotCount)
    }

    mutating func read(_ bytes: [UInt8], digests: DigestSettings) -> [(header: HeaderBytes, data: [UInt8])] {
        framer.beginFullFeaturePhase(dataSegmentLimit: isFullFeature ? 1 << 15 : 8192, digests: digests)
        var answers: [(header: HeaderBytes, data: [UInt8])] = []
        var rest = bytes[...]
        while true {
            rest = rest.dropFirst(framer.append(rest))
            do throws(ISCSIError) {
                guard let pdu = try framer.next() else {
                    precondition(rest.isEmpty && framer.bufferedByteCount == 0, "an answer is cut short")
                    return answers
                }
                precondition(!pdu.hasDataDigestError, "a data digest")
                PDUStability.check(pdu.header)
                check(pdu)
                answers.append((pdu.header, Array(framer.storage[pdu.data])))
            } catch { preconditionFailure("the target's own PDU: \(error)") }
        }
    }

    private mutating func check(_ pdu: FramedPDU) {
        precondition(pdu.opcode & 0x20 != 0, "an initiator's opcode")
        guard isFullFeature else { return }
        if let data = SCSIDataIn(decoding: pdu.header) {
            precondition(pdu.data.count <= parameters.initiatorDataSegmentLimit, "a long Data-In")
            if data.flags & 1 == 0 { return check(window: data.sequence) }
            return check(status: data.sequence)
        }
        if let request = ReadyToTransfer(decoding: pdu.header) {
            precondition(request.desiredDataTransferLength > 0, "an empty R2T")
            precondition(Int(request.desiredDataTransferLength) <= parameters.maxBurstByteCount, "a long R2T")
            precondition(request.targetTransferTag != TaskTag.reserved, "an R2T without a tag")
            return check(window: request.sequence)
        }
        if let ping = NOPIn(decoding: pdu.header), ping.initiatorTaskTag == TaskTag.reserved {
            return check(window: ping.sequence)
        }
        var coder = HeaderCoder(decoding: pdu.header)
        var sequence = TargetSequence()
        sequence.layout(&coder)
        check(status: sequence)
    }

    private mutating func check(status sequence: TargetSequence) {
        if let statSN { precondition(sequence.statSN == statSN.advanced(by: 1), "StatSN") }
        statSN = sequence.statSN
        check(window: sequence)
    }

    /// RFC 7143 §4.2.2.1: MaxCmdSN never goes back.
    private mutating func check(window sequence: TargetSequence) {
        if let maxCmdSN { precondition(maxCmdSN.distance(to: sequence.maxCmdSN) >= 0, "MaxCmdSN goes back") }
        maxCmdSN = sequence.maxCmdSN
        precondition(sequence.expCmdSN.distance(to: sequence.maxCmdSN) >= -1, "an impossible window")
    }
}
