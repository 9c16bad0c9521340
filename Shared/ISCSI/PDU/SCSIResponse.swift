// SPDX-License-Identifier: Apache-2.0
package import Wire

/// SCSI Response, RFC 7143 §11.4.
package struct SCSIResponse: FixedPDU, Equatable, Sendable {
    package static let opcode: UInt8 = 0x21
    /// 80h, and 04h overflow or 02h underflow.
    package var flags: UInt8 = 0x80
    /// 0 completed at the target, 1 target failure.
    package var response: UInt8 = 0
    package var status: UInt8 = 0
    package var initiatorTaskTag: UInt32 = 0
    package var snackTag: UInt32 = 0
    package var sequence = TargetSequence()
    /// How many Data-In or R2T PDUs the command had.
    package var expDataSN: UInt32 = 0
    package var bidirectionalResidual: UInt32 = 0
    package var residual: UInt32 = 0
    package init() {}

    @inlinable @inline(__always)
    package mutating func layout(_ coder: inout HeaderCoder) {
        coder.field(&flags, at: 1)
        coder.field(&response, at: 2)
        coder.field(&status, at: 3)
        coder.field(&initiatorTaskTag, at: 16)
        coder.field(&snackTag, at: 20)
        sequence.layout(&coder)
        coder.field(&expDataSN, at: 36)
        coder.field(&bidirectionalResidual, at: 40)
        coder.field(&residual, at: 44)
    }
}
