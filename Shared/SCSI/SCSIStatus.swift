// SPDX-License-Identifier: Apache-2.0

/// How a command ended, SAM-5 §5.3.1; byte 3 of the SCSI Response.
package enum SCSIStatus: UInt8, Sendable {
    case good = 0x00
    case checkCondition = 0x02
    case conditionMet = 0x04
    case busy = 0x08
    case reservationConflict = 0x18
    case taskSetFull = 0x28
    case taskAborted = 0x40
}
