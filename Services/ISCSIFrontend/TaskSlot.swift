// SPDX-License-Identifier: Apache-2.0
import Platform
import SCSI

/// What the frontend does for one task of a session, beside the transport's view of it.
struct TaskSlot {
    enum Work {
        case idle
        /// Decided; the answer waits for data that is on its way.
        case result(CommandResult)
        case parameterData(ParameterDataCommand)
        case medium(MediumOperation, MediumTransfer)
        /// Reads the sector whose tail a short write keeps.
        case mergeTail(MediumOperation, MediumTransfer)
        case unmap(UnmapOperation)
    }

    var work = Work.idle
    var buffer: IOBuffer?
    /// What the buffer takes of the write budget.
    var reservedByteCount = 0
    /// The command waits for its buffer.
    var isWaitingForMemory = false
    /// What it takes of the read budget.
    var readByteCount = 0
    /// The read waits for its part of the budget.
    var isWaitingToRead = false
    /// Aborted, and its request was on its way then.
    var isUnderBarrier = false
}
