// SPDX-License-Identifier: Apache-2.0
import ISCSI
import SCSI
import TestSupport
import Testing
import Wire

struct PDUGoldenTests {
    private let lun = LogicalUnitNumber(rawValue: 0x0001_0000_0000_0000)
    private let sequence = TargetSequence(
        statSN: SerialNumber(0x1122_3344), expCmdSN: SerialNumber(0x5566_7788), maxCmdSN: SerialNumber(0x99aa_bbcc))
    private let cmdSN = SerialNumber(0x0a0b_0c0d)
    private let expStatSN = SerialNumber(0x0e0f_1011)
    private let isid = InitiatorSessionID(rawValue: 0x8000_0012_3456)

    /// Encodes to the golden bytes and decodes from them.
    private func expectGolden<PDU: FixedPDU & Equatable>(
        _ pdu: PDU, _ name: String, dataSegmentByteCount: Int = 0, _ location: SourceLocation = #_sourceLocation
    ) throws {
        let golden = try Golden.bytes("iscsi/v1/\(name)")
        #expect(bytes(of: pdu.encoded(dataSegmentByteCount: dataSegmentByteCount)) == golden, sourceLocation: location)
        #expect(PDU(decoding: header(golden)) == pdu, sourceLocation: location)
        var other = golden
        other[0] ^= 0x08
        #expect(PDU(decoding: header(other)) == nil, sourceLocation: location)
    }

    @Test func initiatorPDUsHaveTheirGoldenBytes() throws {
        var nop = NOPOut()
        (nop.isImmediate, nop.logicalUnit, nop.initiatorTaskTag) = (true, lun, 0x0102_0304)
        (nop.cmdSN, nop.expStatSN) = (cmdSN, expStatSN)
        try expectGolden(nop, "nop-out", dataSegmentByteCount: 8)

        var command = SCSICommand()
        (command.isWrite, command.logicalUnit, command.initiatorTaskTag) = (true, lun, 0x0102_0304)
        (command.expectedDataTransferLength, command.cmdSN, command.expStatSN) = (4096, cmdSN, expStatSN)
        command.cdb = CDB(high: 0x2a00_0000_1000_0000, low: 0x0800_0000_0000_0000)
        try expectGolden(command, "scsi-command", dataSegmentByteCount: 4096)

        var management = TaskManagementRequest()
        (management.isImmediate, management.function, management.logicalUnit) = (true, 1, lun)
        (management.initiatorTaskTag, management.referencedTaskTag) = (0x0102_0304, 0x2122_2324)
        (management.cmdSN, management.expStatSN) = (cmdSN, expStatSN)
        (management.refCmdSN, management.expDataSN) = (SerialNumber(0x3132_3334), 0x4142_4344)
        try expectGolden(management, "task-management-request")

        var login = LoginRequest()
        login.isImmediate = true
        login.flags = LoginFlags(transit: true, current: .operational, next: .fullFeature)
        (login.isid, login.tsih, login.initiatorTaskTag) = (isid, 0x0102, 0x0102_0304)
        (login.connectionID, login.cmdSN, login.expStatSN) = (0x0506, cmdSN, expStatSN)
        try expectGolden(login, "login-request", dataSegmentByteCount: 100)

        var text = TextRequest()
        (text.isImmediate, text.logicalUnit, text.initiatorTaskTag) = (true, lun, 0x0102_0304)
        (text.cmdSN, text.expStatSN) = (cmdSN, expStatSN)
        try expectGolden(text, "text-request", dataSegmentByteCount: 16)

        var dataOut = SCSIDataOut()
        (dataOut.isFinal, dataOut.logicalUnit, dataOut.initiatorTaskTag) = (true, lun, 0x0102_0304)
        (dataOut.targetTransferTag, dataOut.expStatSN) = (0x2122_2324, expStatSN)
        (dataOut.dataSN, dataOut.bufferOffset) = (3, 65536)
        try expectGolden(dataOut, "scsi-data-out", dataSegmentByteCount: 8192)

        var logout = LogoutRequest()
        (logout.isImmediate, logout.reason, logout.initiatorTaskTag) = (true, 1, 0x0102_0304)
        (logout.connectionID, logout.cmdSN, logout.expStatSN) = (0x0506, cmdSN, expStatSN)
        try expectGolden(logout, "logout-request")
    }

    @Test func targetPDUsWithAnswersHaveTheirGoldenBytes() throws {
        var nop = NOPIn()
        (nop.logicalUnit, nop.targetTransferTag, nop.sequence) = (lun, 0x2122_2324, sequence)
        try expectGolden(nop, "nop-in")

        var response = SCSIResponse()
        (response.flags, response.status, response.initiatorTaskTag) = (0x82, 2, 0x0102_0304)
        (response.sequence, response.expDataSN, response.residual) = (sequence, 2, 512)
        try expectGolden(response, "scsi-response", dataSegmentByteCount: 20)

        var management = TaskManagementResponse()
        (management.response, management.initiatorTaskTag, management.sequence) = (5, 0x0102_0304, sequence)
        try expectGolden(management, "task-management-response")

        var login = LoginResponse()
        login.flags = LoginFlags(transit: true, current: .operational, next: .fullFeature)
        (login.isid, login.tsih, login.initiatorTaskTag) = (isid, 0x0102, 0x0102_0304)
        (login.sequence, login.status) = (sequence, LoginStatus.notFound.rawValue)
        try expectGolden(login, "login-response", dataSegmentByteCount: 10)

        var text = TextResponse()
        (text.isFinal, text.isContinued, text.logicalUnit) = (false, true, lun)
        (text.initiatorTaskTag, text.targetTransferTag, text.sequence) = (0x0102_0304, 0x2122_2324, sequence)
        try expectGolden(text, "text-response", dataSegmentByteCount: 512)

        var logout = LogoutResponse()
        (logout.response, logout.initiatorTaskTag, logout.sequence) = (1, 0x0102_0304, sequence)
        (logout.secondsToWait, logout.secondsToRetain) = (2, 20)
        try expectGolden(logout, "logout-response")
    }

    @Test func targetPDUsOfDataTransferHaveTheirGoldenBytes() throws {
        var dataIn = SCSIDataIn()
        (dataIn.flags, dataIn.logicalUnit, dataIn.initiatorTaskTag) = (0x83, lun, 0x0102_0304)
        (dataIn.sequence, dataIn.dataSN, dataIn.bufferOffset, dataIn.residual) = (sequence, 4, 8192, 1024)
        try expectGolden(dataIn, "scsi-data-in", dataSegmentByteCount: 1024)

        var ready = ReadyToTransfer()
        (ready.logicalUnit, ready.initiatorTaskTag, ready.targetTransferTag) = (lun, 0x0102_0304, 0x2122_2324)
        (ready.sequence, ready.r2tSN, ready.bufferOffset) = (sequence, 1, 65536)
        ready.desiredDataTransferLength = 262_144
        try expectGolden(ready, "ready-to-transfer")

        var message = AsyncMessage()
        (message.sequence, message.event, message.parameter3) = (sequence, 1, 10)
        try expectGolden(message, "async-message")

        var reject = Reject()
        (reject.reason, reject.sequence) = (RejectReason.invalidPDUField.rawValue, sequence)
        try expectGolden(reject, "reject", dataSegmentByteCount: 48)
    }

    /// Any header of the right opcode decodes, and what was decoded encodes to the same fields again.
    private func expectStable<PDU: FixedPDU & Equatable>(_: PDU.Type, _ random: inout SeededRandom) {
        for _ in 0..<200 {
            var bytes = random.bytes(48)
            bytes[0] = bytes[0] & 0xc0 | PDU.opcode
            guard let pdu = PDU(decoding: header(bytes)) else {
                Issue.record("\(PDU.self) refused its own opcode")
                return
            }
            #expect(PDU(decoding: pdu.encoded()) == pdu)
        }
    }

    @Test func randomHeadersSurviveDecodingAndEncoding() {
        var random = SeededRandom(seed: 7143)
        expectStable(NOPOut.self, &random)
        expectStable(SCSICommand.self, &random)
        expectStable(TaskManagementRequest.self, &random)
        expectStable(LoginRequest.self, &random)
        expectStable(TextRequest.self, &random)
        expectStable(SCSIDataOut.self, &random)
        expectStable(LogoutRequest.self, &random)
        expectStable(NOPIn.self, &random)
        expectStable(SCSIResponse.self, &random)
        expectStable(TaskManagementResponse.self, &random)
        expectStable(LoginResponse.self, &random)
        expectStable(TextResponse.self, &random)
        expectStable(SCSIDataIn.self, &random)
        expectStable(LogoutResponse.self, &random)
        expectStable(ReadyToTransfer.self, &random)
        expectStable(AsyncMessage.self, &random)
        expectStable(Reject.self, &random)
    }
}
