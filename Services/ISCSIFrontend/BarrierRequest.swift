// SPDX-License-Identifier: Apache-2.0
import ISCSI
import Messages

/// Requests that a frontend waits for as long as it takes: behind their answer nothing older of the nexus, or of any
/// nexus, can be applied.
enum BarrierRequest {
    /// A session begins: the name of its initiator port, and what it proved to be let in.
    case sessionBegins(initiatorPort: String, access: String)
    /// Tasks of the session were aborted.
    case tasksAborted
    /// The session is over, and with it the nexus.
    case nexusLoss
    /// Of all nexuses.
    case taskManagement(TaskManagementFunction)

    var operation: IORequest.Operation {
        switch self {
        case .sessionBegins, .tasksAborted: .nexusBarrier
        case .nexusLoss: .nexusLoss
        case .taskManagement: .taskManagement
        }
    }

    var payload: [UInt8] {
        switch self {
        case .sessionBegins(let initiatorPort, let access): Array("\(initiatorPort)\n\(access)".utf8)
        case .tasksAborted, .nexusLoss: []
        case .taskManagement(let function): [function.rawValue]
        }
    }
}
