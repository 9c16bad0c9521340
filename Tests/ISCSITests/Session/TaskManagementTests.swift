// SPDX-License-Identifier: Apache-2.0
import ISCSI
import SCSI
import Testing
import Wire

struct TaskManagementTests {
    private func request(
        _ function: UInt8, referenced: UInt32 = TaskTag.reserved, lun: UInt64 = 0, refCmdSN: UInt32 = 0xffff_ff00
    ) -> TaskManagementRequest {
        var request = TaskManagementRequest()
        (request.isImmediate, request.function, request.initiatorTaskTag) = (true, function, 0x900)
        (request.referencedTaskTag, request.logicalUnit) = (referenced, LogicalUnitNumber(rawValue: lun))
        request.refCmdSN = SerialNumber(refCmdSN)
        return request
    }

    @Test func anAbortedTaskIsNeverAnsweredAndItsSlotWaits() throws {
        let harness = FullFeatureHarness()
        let task = try #require(harness.command(tag: 5, read: 512).newTask)
        _ = harness.begin(task, 0)
        let abort = request(1, referenced: 5)
        let management = TaskManagement(request: abort, function: .abortTask)
        #expect(harness.send(abort) == [.manage(management)])
        #expect(harness.answers().isEmpty, "the answer waits for the back end")
        #expect(harness.machine.isAborted(task) && harness.machine.openTaskCount == 1)
        harness.machine.answer(management, .complete, &harness.output)
        #expect(try #require(harness.answer()?.pdu(TaskManagementResponse.self)).response == 0)
        #expect(harness.machine.beginDataIn(task, byteCount: 512, &harness.output, &harness.actions) == nil)
        #expect(harness.answers().isEmpty)
        #expect(harness.actions.released == [task])
        #expect(harness.machine.openTaskCount == 0)
    }

    @Test func aTaskWhoseDataIsStillComingIsForgottenAtOnce() throws {
        let harness = FullFeatureHarness()
        let task = try #require(harness.command(tag: 5, write: 1024, isFinal: false).newTask)
        _ = harness.begin(task, 1024)
        #expect(harness.send(request(1, referenced: 5)).released == [task])
        var dataOut = SCSIDataOut()
        (dataOut.initiatorTaskTag, dataOut.targetTransferTag, dataOut.isFinal) = (5, TaskTag.reserved, true)
        #expect(harness.send(dataOut, data: [UInt8](repeating: 1, count: 1024)).isEmpty)
        #expect(harness.answers().isEmpty)
        #expect(harness.command(tag: 5, read: 512).newTask != nil, "its tag is free again")
    }

    @Test func dataInThatIsUnderWayStops() throws {
        let harness = FullFeatureHarness { $0.initiatorDataSegmentLimit = 512 }
        let task = try #require(harness.command(tag: 5, read: 1024).newTask)
        _ = harness.begin(task, 0)
        var sequence = try #require(
            harness.machine.beginDataIn(task, byteCount: 1024, &harness.output, &harness.actions))
        #expect(harness.machine.nextDataIn(task, &sequence, &harness.actions) != nil)
        harness.send(request(2))
        #expect(harness.machine.nextDataIn(task, &sequence, &harness.actions) == nil)
        #expect(harness.actions.released == [task])
    }

    @Test func resetsAbortEveryTask() throws {
        for function in [UInt8(2), 4, 5, 6, 7] {
            let harness = FullFeatureHarness()
            let tasks = try (UInt32(1)...3).map { try #require(harness.command(tag: $0, read: 512).newTask) }
            for task in tasks { _ = harness.begin(task, 0) }
            let actions = harness.send(request(function))
            guard case .manage(let management)? = actions.last else {
                Issue.record("function \(function): \(actions)")
                continue
            }
            #expect(management.function.rawValue == function)
            #expect(tasks.allSatisfy { harness.machine.isAborted($0) })
        }
    }

    @Test func answersWhatItDoesNotDo() throws {
        let table: [(TaskManagementRequest, UInt8)] = [
            (request(3), 5), (request(0), 5), (request(9), 5), (request(127), 5), (request(8), 4),
            (request(2, lun: 0x0001_0000_0000_0000), 2), (request(5, lun: .max), 2),
            (request(1, referenced: 0x900), 1), (request(1, referenced: TaskTag.reserved), 1),
            (request(1, referenced: 77, refCmdSN: 0xffff_fff0), 1),
        ]
        for (request, expected) in table {
            let harness = FullFeatureHarness()
            #expect(harness.send(request).isEmpty)
            let response = try #require(harness.answer()?.pdu(TaskManagementResponse.self))
            #expect(response.response == expected, "\(request)")
        }
    }

    @Test func aCommandThatIsStillToComeIsTakenAsAborted() throws {
        let harness = FullFeatureHarness()
        #expect(harness.send(request(1, referenced: 9, refCmdSN: harness.cmdSN.rawValue)).isEmpty)
        #expect(try #require(harness.answer()?.pdu(TaskManagementResponse.self)).response == 0)
        #expect(harness.command(tag: 9, read: 512).isEmpty)
        #expect(harness.answers().isEmpty)
        #expect(harness.command(tag: 10, read: 512).newTask != nil)
    }

    @Test func aFloodOfFunctionsIsRejected() throws {
        let harness = FullFeatureHarness()
        for _ in 0..<8 { #expect(harness.send(request(2)).count == 1) }
        #expect(harness.send(request(2)).isEmpty)
        #expect(try #require(harness.answer()?.pdu(Reject.self)).reason == 0x06)
    }

    @Test func resetsOfTheTargetNameNoUnit() throws {
        for (function, expected) in [(6, .targetWarmReset), (7, .targetColdReset)]
            as [(UInt8, TaskManagementFunction)]
        {
            let harness = FullFeatureHarness()
            let receiving = try #require(harness.command(tag: 1, write: 4096).newTask)
            _ = harness.begin(receiving, 4096)
            let executing = try #require(harness.command(tag: 2, read: 512).newTask)
            _ = harness.begin(executing, 0)
            let reset = request(function, lun: .max)
            let management = TaskManagement(request: reset, function: expected)
            #expect(harness.send(reset) == [.released(task: receiving), .manage(management)])
            #expect(harness.machine.isAborted(executing))
            #expect(harness.answers().isEmpty)
            harness.machine.answer(management, .complete, &harness.output)
            let response = try #require(harness.answer()?.pdu(TaskManagementResponse.self))
            #expect(response.response == 0 && response.initiatorTaskTag == 0x900)
            harness.finish(executing)
            #expect(harness.answers().isEmpty)
        }
    }

    @Test func aDiscoverySessionHasNoTasksToManage() throws {
        for function in UInt8(1)...8 {
            let harness = FullFeatureHarness(discovery: true)
            #expect(harness.send(request(function)).isEmpty)
            #expect(try #require(harness.answer()?.pdu(Reject.self)).reason == 0x04)
        }
    }

    @Test func aFunctionMayBeNumberedAndConsumesItsNumber() throws {
        let harness = FullFeatureHarness()
        let task = try #require(harness.command(tag: 5, read: 512).newTask)
        _ = harness.begin(task, 0)
        var abort = request(1, referenced: 5)
        abort.isImmediate = false
        abort.cmdSN = harness.takeCmdSN()
        #expect(harness.send(abort).count == 1)
        #expect(harness.send(abort).isEmpty, "the same number again is ignored")
        #expect(harness.answers().isEmpty)
        #expect(harness.machine.window.expCmdSN == harness.cmdSN)
    }

    @Test func abortsAroundTheWrapOfTheNumbers() throws {
        let harness = FullFeatureHarness()
        harness.cmdSN = SerialNumber(0xffff_fffd)
        // 0, behind the wrap, is the fourth command from here.
        #expect(harness.send(request(1, referenced: 9, refCmdSN: 0)).isEmpty)
        #expect(try #require(harness.answer()?.pdu(TaskManagementResponse.self)).response == 0)
        for tag in UInt32(1)...3 { #expect(harness.command(tag: tag, read: 512).newTask != nil) }
        #expect(harness.cmdSN == SerialNumber(0))
        #expect(harness.command(tag: 9, read: 512).isEmpty)
        #expect(harness.command(tag: 10, read: 512).newTask != nil)
        #expect(harness.send(request(1, referenced: 9, refCmdSN: 0)).isEmpty)
        #expect(try #require(harness.answer()?.pdu(TaskManagementResponse.self)).response == 1, "it is behind now")
    }

    @Test func numbersThatAreAbortedInAdvanceAreFew() throws {
        let harness = FullFeatureHarness(windowDepth: 64)
        var answers: [UInt8] = []
        for offset in 0..<20 {
            harness.send(request(1, referenced: 9, refCmdSN: harness.cmdSN.advanced(by: offset).rawValue))
            answers.append(try #require(harness.answer()?.pdu(TaskManagementResponse.self)).response)
        }
        #expect(answers == [UInt8](repeating: 0, count: 16) + [255, 255, 255, 255])
    }
}
