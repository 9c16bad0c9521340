// SPDX-License-Identifier: Apache-2.0
import SCSI

/// How a SCSI command ended, as the transport needs it.
package struct TaskOutcome: Equatable, Sendable {
    package var status: UInt8
    /// Autosense; empty unless the status is CHECK CONDITION.
    package var sense: [UInt8]
    /// What the command moves when the initiator expects enough: residuals are counted from it.
    package var commandByteCount: Int
    package init(status: UInt8, sense: [UInt8] = [], commandByteCount: Int) {
        self.status = status
        self.sense = sense
        self.commandByteCount = commandByteCount
    }

    /// CHECK CONDITION for what the transport itself refuses; nothing of the command was done.
    private init(_ error: SCSIError) {
        self.init(status: SCSIStatus.checkCondition.rawValue, sense: error.sense.encoded(), commandByteCount: 0)
    }

    /// ABORTED COMMAND, PROTOCOL SERVICE CRC ERROR: what RFC 7143 §7.7-§7.8 give for data that broke a rule.
    package static let dataTransferFailed = TaskOutcome(.protocolServiceCRCError)
    /// No command of ours moves data both ways.
    package static let bidirectional = TaskOutcome(.invalidFieldInCDB(byte: 0, bit: nil))
}
