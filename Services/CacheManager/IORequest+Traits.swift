// SPDX-License-Identifier: Apache-2.0
import Messages
import SCSI

extension IORequest.Operation {
    /// Which of the checks before a command concern it, as `CommandTable` says for the commands that come to this.
    var traits: CommandDefinition.Traits {
        switch self {
        case .read, .compare, .prefetch: [.needsReadyUnit, .passesWriteExclusive]
        case .write, .writeSame, .unmap, .compareAndWrite, .orWrite: [.needsReadyUnit, .writes]
        case .flush: .needsReadyUnit
        case .nexusBarrier, .nexusLoss, .deviceServerCommand, .check, .taskManagement: []
        }
    }
}
