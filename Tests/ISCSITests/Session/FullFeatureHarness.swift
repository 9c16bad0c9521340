// SPDX-License-Identifier: Apache-2.0
import ISCSI
import SCSI
import Wire

struct TestDirectory: TargetDirectory {
    var records = [
        TargetRecord(name: TestEnvironment.target, addresses: ["127.0.0.1:3260,1", "[::1]:3260,1"]),
        TargetRecord(name: "iqn.2026-11.io.sluice:other", addresses: ["127.0.0.1:3260,1"]),
    ]
    func targets(named name: String?) -> [TargetRecord] { records.filter { name == nil || $0.name == name } }
}

/// A PDU of the target as it came out of the writer.
struct Answer {
    var header: HeaderBytes
    var data: [UInt8]
    var opcode: UInt8 { header[0] & 0x3f }
    func pdu<PDU: FixedPDU>(_: PDU.Type = PDU.self) -> PDU? { PDU(decoding: header) }
}

/// Plays the initiator and the owner of a `FullFeatureStateMachine`.
final class FullFeatureHarness {
    var machine: FullFeatureStateMachine
    var actions: [FullFeatureStateMachine.Action] = []
    var output = PDUWriter()
    var directory = TestDirectory()
    var cmdSN = SerialNumber(0xffff_fffd)

    init(
        discovery: Bool = false, windowDepth: Int = 8, _ adjust: (inout SessionParameters) -> Void = { _ in }
    ) {
        var parameters = SessionParameters()
        (parameters.initialR2T, parameters.immediateData) = (false, true)
        adjust(&parameters)
        let identity = SessionIdentity(
            initiatorName: LoginHarness.initiator, isid: InitiatorSessionID(rawValue: 1),
            targetName: discovery ? nil : TestEnvironment.target)
        machine = FullFeatureStateMachine(
            identity: identity, connectionID: 3, parameters: parameters, windowDepth: windowDepth, expCmdSN: cmdSN,
            statSN: SerialNumber(0xffff_ffff))
    }

    /// Delivers one PDU and returns the new actions.
    @discardableResult
    func send(_ pdu: some FixedPDU, data: [UInt8] = [], additional: [UInt8] = [], isIntact: Bool = true)
        -> [FullFeatureStateMachine.Action]
    {
        deliver(
            header: pdu.encoded(dataSegmentByteCount: data.count, additionalHeaderByteCount: additional.count),
            data: data, additional: additional, isIntact: isIntact)
    }

    @discardableResult
    func deliver(
        header: HeaderBytes, data: [UInt8] = [], additional: [UInt8] = [], isIntact: Bool = true
    ) -> [FullFeatureStateMachine.Action] {
        let start = actions.count
        let storage = additional + data
        let framed = FramedPDU(
            header: header, additionalHeader: 0..<additional.count, data: additional.count..<storage.count,
            hasDataDigestError: !isIntact)
        unsafe machine.receive(
            framed, storage: storage.span.bytes, directory: directory, output: &output, actions: &actions)
        return Array(actions[start...])
    }

    /// A command with the next CmdSN.
    func command(
        tag: UInt32, read: Int? = nil, write: Int? = nil, isFinal: Bool = true, immediate: [UInt8] = [],
        isIntact: Bool = true
    ) -> [FullFeatureStateMachine.Action] {
        var pdu = SCSICommand()
        (pdu.initiatorTaskTag, pdu.isRead, pdu.isWrite) = (tag, read != nil, write != nil)
        pdu.isFinal = isFinal
        pdu.expectedDataTransferLength = UInt32(read ?? write ?? 0)
        pdu.cmdSN = takeCmdSN()
        return send(pdu, data: immediate, isIntact: isIntact)
    }

    func takeCmdSN() -> SerialNumber {
        defer { cmdSN = cmdSN.advanced(by: 1) }
        return cmdSN
    }

    func begin(_ task: Int, _ byteCount: Int) -> [FullFeatureStateMachine.Action] {
        let start = actions.count
        _ = machine.begin(task, dataOutByteCount: byteCount, output: &output, actions: &actions)
        return Array(actions[start...])
    }

    func finish(_ task: Int, status: UInt8 = 0, byteCount: Int = 0) {
        machine.finish(task, TaskOutcome(status: status, commandByteCount: byteCount), &output, &actions)
    }

    /// All PDUs written since the last call.
    func answers() -> [Answer] {
        defer { output.bytes.removeAll() }
        var answers: [Answer] = []
        var framer = PDUFramer(dataSegmentLimit: 1 << 20)
        precondition(framer.append(output.bytes) == output.bytes.count)
        while let pdu = try! framer.next() {
            answers.append(Answer(header: pdu.header, data: Array(framer.storage[pdu.data])))
        }
        return answers
    }

    func answer() -> Answer? {
        let all = answers()
        return all.count == 1 ? all[0] : nil
    }
}

extension Array where Element == FullFeatureStateMachine.Action {
    /// The task of the one new command.
    var newTask: Int? {
        for case .command(let task, _) in self { return task }
        return nil
    }
    var executes: [Int] { compactMap { if case .execute(let task) = $0 { task } else { nil } } }
    var released: [Int] { compactMap { if case .released(let task) = $0 { task } else { nil } } }
}
