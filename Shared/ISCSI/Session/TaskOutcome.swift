// SPDX-License-Identifier: Apache-2.0

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

    /// CHECK CONDITION with fixed-format sense that carries no more than a key and a code.
    private init(key: UInt8, code: UInt16) {
        var sense = [UInt8](repeating: 0, count: 18)
        sense[0] = 0x70
        sense[2] = key
        sense[7] = 10
        sense[12] = UInt8(truncatingIfNeeded: code >> 8)
        sense[13] = UInt8(truncatingIfNeeded: code)
        self.init(status: 0x02, sense: sense, commandByteCount: 0)
    }

    /// ABORTED COMMAND, PROTOCOL SERVICE CRC ERROR: what RFC 7143 §7.7-§7.8 give for data that broke a rule.
    package static let dataTransferFailed = TaskOutcome(key: 0x0b, code: 0x4705)
    /// ILLEGAL REQUEST, INVALID FIELD IN CDB: no command of ours moves data both ways.
    package static let bidirectional = TaskOutcome(key: 0x05, code: 0x2400)
}
