// SPDX-License-Identifier: Apache-2.0
import ISCSI
import SCSI
import Testing
import Wire

struct FullFeatureTaskTests {
    @Test func aReadIsAnsweredInPiecesWithStatusInTheLast() throws {
        let harness = FullFeatureHarness { $0.initiatorDataSegmentLimit = 1024 }
        let task = try #require(harness.command(tag: 1, read: 2500).newTask)
        #expect(harness.begin(task, 0).executes == [task])
        var sequence = try #require(
            harness.machine.beginDataIn(task, byteCount: 4096, &harness.output, &harness.actions))
        var pieces: [DataInSequence.Piece] = []
        while !sequence.isOver {
            pieces.append(try #require(harness.machine.nextDataIn(task, &sequence, &harness.actions)))
        }
        #expect(pieces.map(\.range.count) == [1024, 1024, 452])
        #expect(pieces[2].pdu.flags == 0x80 | 0x01 | 0x04)
        #expect(pieces[2].pdu.residual == 1596)
        #expect(pieces[0].pdu.sequence.statSN == SerialNumber(0))
        #expect(pieces[2].pdu.sequence.statSN == SerialNumber(0xffff_ffff))
        #expect(pieces[2].pdu.sequence.expCmdSN == harness.cmdSN)
        #expect(pieces[2].pdu.sequence.maxCmdSN == harness.cmdSN.advanced(by: 7))
        #expect(harness.actions.released == [task])
        #expect(harness.machine.openTaskCount == 0)
    }

    @Test func aReadOfWhichNothingIsExpectedIsAnsweredByAResponse() throws {
        let harness = FullFeatureHarness()
        let task = try #require(harness.command(tag: 1, read: 0).newTask)
        _ = harness.begin(task, 0)
        #expect(harness.machine.beginDataIn(task, byteCount: 512, &harness.output, &harness.actions) == nil)
        let response = try #require(harness.answer()?.pdu(SCSIResponse.self))
        #expect(response.flags == 0x84 && response.residual == 512 && response.status == 0)
        // A read that is flagged as a write: good, no data, no residual.
        let sector = [UInt8](repeating: 1, count: 512)
        let flagged = try #require(harness.command(tag: 2, write: 512, immediate: sector).newTask)
        _ = harness.begin(flagged, 0)
        #expect(harness.machine.beginDataIn(flagged, byteCount: 512, &harness.output, &harness.actions) == nil)
        let second = try #require(harness.answer()?.pdu(SCSIResponse.self))
        #expect(second.flags == 0x80 && second.residual == 0)
    }

    @Test func aWriteCollectsItsDataWhereverItComesFrom() throws {
        let harness = FullFeatureHarness {
            ($0.firstBurstByteCount, $0.maxBurstByteCount) = (1024, 2048)
        }
        let start = harness.command(
            tag: 0x77, write: 4096, isFinal: false, immediate: [UInt8](repeating: 1, count: 512))
        let task = try #require(start.newTask)
        #expect(start == [.command(task: task, immediate: 0..<512)])
        let immediate = harness.machine.begin(
            task, dataOutByteCount: 4096, output: &harness.output, actions: &harness.actions)
        #expect(immediate == 512)

        var dataOut = SCSIDataOut()
        (dataOut.initiatorTaskTag, dataOut.targetTransferTag) = (0x77, TaskTag.reserved)
        (dataOut.bufferOffset, dataOut.isFinal) = (512, true)
        let unsolicited = harness.send(dataOut, data: [UInt8](repeating: 2, count: 512))
        #expect(unsolicited == [.data(task: task, bufferOffset: 512, bytes: 0..<512), .wantsData(task: task)])
        #expect(harness.answers().isEmpty)

        harness.machine.requestData(task, output: &harness.output)
        let first = try #require(harness.answer()?.pdu(ReadyToTransfer.self))
        #expect(first.bufferOffset == 1024 && first.desiredDataTransferLength == 2048 && first.r2tSN == 0)
        #expect(first.sequence.statSN == SerialNumber(0xffff_ffff))
        dataOut.targetTransferTag = first.targetTransferTag
        dataOut.bufferOffset = 1024
        #expect(harness.send(dataOut, data: [UInt8](repeating: 3, count: 2048)).last == .wantsData(task: task))
        harness.machine.requestData(task, output: &harness.output)
        let second = try #require(harness.answer()?.pdu(ReadyToTransfer.self))
        #expect(second.bufferOffset == 3072 && second.desiredDataTransferLength == 1024 && second.r2tSN == 1)
        #expect(second.targetTransferTag != first.targetTransferTag)
        dataOut.targetTransferTag = second.targetTransferTag
        dataOut.bufferOffset = 3072
        #expect(harness.send(dataOut, data: [UInt8](repeating: 4, count: 1024)).executes == [task])
        harness.finish(task, byteCount: 4096)
        let response = try #require(harness.answer()?.pdu(SCSIResponse.self))
        #expect(response.flags == 0x80 && response.expDataSN == 2 && response.initiatorTaskTag == 0x77)
    }

    @Test func aBadDataSNAbortsTheCommandAndKeepsTheConnection() throws {
        let harness = FullFeatureHarness { $0.immediateData = false }
        let task = try #require(harness.command(tag: 5, write: 1024, isFinal: false).newTask)
        _ = harness.begin(task, 1024)
        var dataOut = SCSIDataOut()
        (dataOut.initiatorTaskTag, dataOut.targetTransferTag, dataOut.dataSN) = (5, TaskTag.reserved, 27)
        dataOut.isFinal = true
        let actions = harness.send(dataOut, data: [UInt8](repeating: 1, count: 1024))
        #expect(actions == [.released(task: task)])
        let answer = try #require(harness.answer())
        let response = try #require(answer.pdu(SCSIResponse.self))
        #expect(response.status == 2 && response.flags == 0x82 && response.residual == 1024)
        #expect(answer.data.count == 20 && answer.data[0...1] == [0, 18])
        #expect(answer.data[4] == 0x0b && answer.data[14...15] == [0x47, 0x05])
        #expect(harness.command(tag: 6, read: 512).newTask != nil)
    }

    @Test func anEarlyAnswerWaitsForTheUnsolicitedData() throws {
        let harness = FullFeatureHarness()
        let task = try #require(harness.command(tag: 5, write: 2048, isFinal: false).newTask)
        harness.finish(task, status: 2)
        #expect(harness.answers().isEmpty)
        var dataOut = SCSIDataOut()
        (dataOut.initiatorTaskTag, dataOut.targetTransferTag, dataOut.isFinal) = (5, TaskTag.reserved, true)
        #expect(harness.send(dataOut, data: [UInt8](repeating: 0, count: 2048)) == [.released(task: task)])
        #expect(try #require(harness.answer()?.pdu(SCSIResponse.self)).status == 2)
        // For solicited data no R2T is sent: the answer comes at once.
        let large = try #require(harness.command(tag: 6, write: 1 << 20).newTask)
        harness.finish(large, status: 2)
        let response = try #require(harness.answer()?.pdu(SCSIResponse.self))
        #expect(response.flags == 0x82 && response.residual == 1 << 20)
    }

    @Test func aWrongDataDigestFailsTheCommandAndNothingIsTaken() throws {
        let harness = FullFeatureHarness()
        let actions = harness.command(
            tag: 1, write: 512, immediate: [UInt8](repeating: 1, count: 512), isIntact: false)
        #expect(actions.newTask == nil && actions.released.count == 1)
        let answers = harness.answers()
        #expect(answers.map(\.opcode) == [Reject.opcode, SCSIResponse.opcode])
        #expect(answers[0].pdu(Reject.self)?.reason == RejectReason.dataDigestError.rawValue)
        #expect(answers[1].data[4] == 0x0b)
    }

    @Test func refusesCommandsThatBreakTheRules() throws {
        func reason(_ prepare: (FullFeatureHarness) -> Void) throws -> UInt8 {
            let harness = FullFeatureHarness()
            _ = harness.command(tag: 1, read: 512)
            prepare(harness)
            let answer = try #require(harness.answer())
            #expect(answer.data.count == 48)
            let reject = try #require(answer.pdu(Reject.self))
            #expect(reject.initiatorTaskTag == TaskTag.reserved)
            #expect(harness.command(tag: 99, read: 512).newTask != nil, "the connection goes on")
            return reject.reason
        }
        #expect(try reason { _ = $0.command(tag: 1, read: 512) } == 0x07)
        #expect(try reason { _ = $0.command(tag: TaskTag.reserved, read: 512) } == 0x09)
        let tooMuch = [UInt8](repeating: 0, count: 65_537)
        #expect(try reason { _ = $0.command(tag: 2, write: 1 << 20, immediate: tooMuch) } == 0x04)
        #expect(
            try reason {
                var command = SCSICommand()
                (command.initiatorTaskTag, command.cmdSN) = (2, $0.takeCmdSN())
                $0.send(command, additional: [0xff, 0xff, 1, 0])
            } == 0x09)
        let noImmediate = FullFeatureHarness { $0.immediateData = false }
        #expect(noImmediate.command(tag: 2, write: 512, immediate: [1]).isEmpty)
        #expect(try #require(noImmediate.answer()?.pdu(Reject.self)).reason == 0x04)
        let discovery = FullFeatureHarness(discovery: true)
        #expect(discovery.command(tag: 2, read: 512).isEmpty)
        #expect(try #require(discovery.answer()?.pdu(Reject.self)).reason == 0x04)
    }

    @Test func aBidirectionalCommandIsACheckCondition() throws {
        let harness = FullFeatureHarness()
        #expect(harness.command(tag: 1, read: 512, write: 512).newTask == nil)
        let answer = try #require(harness.answer())
        #expect(answer.pdu(SCSIResponse.self)?.status == 2 && answer.data[4] == 5 && answer.data[14] == 0x24)
    }

    @Test func commandsOutsideOfTheWindowAreIgnored() throws {
        let harness = FullFeatureHarness(windowDepth: 2)
        let first = try #require(harness.command(tag: 1, read: 512).newTask)
        #expect(harness.command(tag: 2, read: 512).newTask != nil)
        #expect(harness.command(tag: 3, read: 512).isEmpty)
        harness.cmdSN = harness.cmdSN.advanced(by: -1)
        #expect(harness.answers().isEmpty)
        _ = harness.begin(first, 0)
        harness.finish(first)
        #expect(harness.command(tag: 3, read: 512).newTask != nil)
    }

    @Test func immediateCommandsAreBoundedAndTakeNoNumber() throws {
        let harness = FullFeatureHarness()
        for tag in 0..<UInt32(FullFeatureStateMachine.immediateTaskLimit) {
            var command = SCSICommand()
            (command.isImmediate, command.initiatorTaskTag, command.cmdSN) = (true, tag, harness.cmdSN)
            #expect(harness.send(command).newTask != nil)
        }
        var command = SCSICommand()
        (command.isImmediate, command.initiatorTaskTag) = (true, 100)
        harness.send(command)
        #expect(try #require(harness.answer()?.pdu(Reject.self)).reason == 0x06)
        #expect(harness.command(tag: 200, read: 0).newTask != nil)
    }
}
