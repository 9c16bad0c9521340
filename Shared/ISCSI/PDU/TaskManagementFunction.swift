// SPDX-License-Identifier: Apache-2.0

/// The functions of a Task Management Function Request (RFC 7143 §11.5.1).
package enum TaskManagementFunction: UInt8, Sendable {
    case abortTask = 1
    case abortTaskSet = 2
    case clearACA = 3
    case clearTaskSet = 4
    case logicalUnitReset = 5
    case targetWarmReset = 6
    case targetColdReset = 7
    case taskReassign = 8
}

/// The answers to them (RFC 7143 §11.6.1).
package enum TaskManagementAnswer: UInt8, Sendable {
    case complete = 0
    case taskDoesNotExist = 1
    case logicalUnitDoesNotExist = 2
    case reassignmentNotSupported = 4
    case functionNotSupported = 5
    /// The owner does not let this initiator do it.
    case authorizationFailed = 6
    case rejected = 255
}
