// SPDX-License-Identifier: Apache-2.0
import Messages
import SCSI

extension IORequest {
    /// Which of the checks before a command concern it, as `CommandTable` says for the commands that come to this. A
    /// repeat may have been carried out: a unit attention in its place could get lost behind its first answer, so it
    /// waits for the next command.
    var traits: CommandDefinition.Traits {
        flags.contains(.repeated) ? operation.traits.union(.passesUnitAttention) : operation.traits
    }
}

extension IORequest.Operation {
    fileprivate var traits: CommandDefinition.Traits {
        switch self {
        case .read, .compare, .prefetch: [.needsReadyUnit, .passesWriteExclusive]
        case .write, .writeSame, .unmap, .compareAndWrite, .orWrite: [.needsReadyUnit, .writes]
        case .flush: .needsReadyUnit
        case .nexusBarrier, .nexusLoss, .deviceServerCommand, .check, .taskManagement: []
        }
    }
}
