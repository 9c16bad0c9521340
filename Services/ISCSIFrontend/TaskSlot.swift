// SPDX-License-Identifier: Apache-2.0
import Platform
import SCSI
import Wire

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
        /// More than one request may move.
        case large(LargeTransfer)
        case unmap(UnmapOperation)
        /// Asks the volume's owner first whether the command may run, and whether these sectors exist.
        case check(SectorRange?, CommandResult)
        /// The owner's device server carries it out; it takes so much data-out.
        case deviceServer(dataOutByteCount: Int)
    }

    var work = Work.idle
    /// When the command was received, monotonic nanoseconds.
    var receivedAt: UInt64 = 0
    var buffer: IOBuffer?
    /// What the buffer takes of the write budget.
    var reservedByteCount = 0
    /// When data came last, monotonic nanoseconds.
    var dataMovedAt: UInt64 = 0
    /// The command waits for its buffer.
    var isWaitingForMemory = false
    /// What it takes of the read budget.
    var readByteCount = 0
    /// The read waits for its part of the budget.
    var isWaitingToRead = false
    /// Aborted, and its request was on its way then.
    var isUnderBarrier = false

    /// What the command takes from the initiator.
    var dataOutByteCount: Int {
        switch work {
        case .idle: 0
        case .result(let result), .check(_, let result): result.transferByteCount
        case .parameterData(let command): command.dataOutByteCount
        case .medium(let operation, _), .mergeTail(let operation, _): operation.dataOutByteCount
        case .large(let large): large.operation.dataOutByteCount
        case .unmap(let operation): operation.dataOutByteCount
        case .deviceServer(let dataOutByteCount): dataOutByteCount
        }
    }

    /// What metrics call the work that a volume does for the command, and the data of initiators that moves with it;
    /// nil: the volume has nothing to do with it.
    var measured: (operation: VolumeOperation, readByteCount: Int, writtenByteCount: Int)? {
        switch work {
        case .medium(let operation, let transfer): Self.measured(operation, transfer)
        case .large(let large): large.isAtLastPiece ? Self.measured(large.operation, large.transfer) : nil
        case .unmap: (.other, 0, 0)
        case .idle, .result, .parameterData, .mergeTail, .check, .deviceServer: nil
        }
    }

    private static func measured(
        _ operation: MediumOperation, _ transfer: MediumTransfer
    ) -> (operation: VolumeOperation, readByteCount: Int, writtenByteCount: Int) {
        switch operation.kind {
        case .read: (.read, transfer.byteCount, 0)
        case .write: (.write, 0, transfer.byteCount)
        case .flush: (.flush, 0, 0)
        case .writeSame, .compareAndWrite, .verify, .verifySame, .orWrite, .prefetch: (.other, 0, 0)
        }
    }
}
