// SPDX-License-Identifier: Apache-2.0
import SCSI
import Wire

/// A task management function that was accepted; its answer waits until no affected command can be applied any more.
package struct TaskManagement: Equatable, Sendable {
    package var request: TaskManagementRequest
    package var function: TaskManagementFunction
    package init(request: TaskManagementRequest, function: TaskManagementFunction) {
        self.request = request
        self.function = function
    }
}

extension FullFeatureStateMachine {
    static let managementLimit = 8

    mutating func receive(
        _ request: TaskManagementRequest, header: HeaderBytes, _ output: inout PDUWriter, _ actions: inout [Action]
    ) {
        guard managementCount < Self.managementLimit else {
            return reject(header, .tooManyImmediateCommands, &output)
        }
        guard let function = TaskManagementFunction(rawValue: request.function) else {
            return respond(request, .functionNotSupported, &output)
        }
        switch function {
        case .clearACA:
            return respond(request, .functionNotSupported, &output)
        case .taskReassign:
            return respond(request, .reassignmentNotSupported, &output)
        case .abortTask:
            guard let task = tags.firstIndex(of: request.referencedTaskTag),
                request.referencedTaskTag != TaskTag.reserved
            else { return respond(request, answerForAbsentTask(request), &output) }
            abort(task, &actions)
        case .abortTaskSet, .clearTaskSet, .logicalUnitReset:
            guard request.logicalUnit.index == 0 else { return respond(request, .logicalUnitDoesNotExist, &output) }
            abortAll(&actions)
        case .targetWarmReset, .targetColdReset:
            // They name no unit. What they do to other sessions, and that a cold reset ends them, is the owner's part.
            abortAll(&actions)
        }
        managementCount += 1
        actions.append(.manage(TaskManagement(request: request, function: function)))
    }

    /// A command that has not arrived yet is taken as received and aborted; one that is gone does not exist.
    private mutating func answerForAbsentTask(_ request: TaskManagementRequest) -> TaskManagementAnswer {
        guard window.isExpected(request.refCmdSN) else { return .taskDoesNotExist }
        return window.cancel(request.refCmdSN) ? .complete : .rejected
    }

    /// The function was carried out.
    package mutating func answer(
        _ management: TaskManagement, _ answer: TaskManagementAnswer, _ output: inout PDUWriter
    ) {
        precondition(managementCount > 0)
        managementCount -= 1
        respond(management.request, answer, &output)
    }

    private mutating func respond(
        _ request: TaskManagementRequest, _ answer: TaskManagementAnswer, _ output: inout PDUWriter
    ) {
        var pdu = TaskManagementResponse()
        pdu.response = answer.rawValue
        pdu.initiatorTaskTag = request.initiatorTaskTag
        pdu.sequence = takeSequence()
        output.append(pdu)
    }

    /// No task that is open now is ever answered. Those that the owner works on keep their slots until it says that
    /// they are over.
    package mutating func abortAll(_ actions: inout [Action]) {
        for task in tasks.indices { abort(task, &actions) }
    }

    private mutating func abort(_ task: Int, _ actions: inout [Action]) {
        switch tasks[task].phase {
        case .free, .aborted: return
        case .receiving: release(task, &actions)
        case .executing, .answering:
            tasks[task].phase = .aborted
            tags[task] = TaskTag.reserved  // The initiator may use the tag again once it has our answer.
        }
    }
}
