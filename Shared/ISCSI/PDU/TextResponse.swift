// SPDX-License-Identifier: Apache-2.0
package import SCSI
package import Wire

/// Text Response, RFC 7143 §11.11.
package struct TextResponse: FixedPDU, Equatable, Sendable {
    package static let opcode: UInt8 = 0x24
    package var isFinal = true
    /// The text goes on in the next PDU.
    package var isContinued = false
    package var logicalUnit = LogicalUnitNumber.zero
    package var initiatorTaskTag: UInt32 = 0
    package var targetTransferTag: UInt32 = TaskTag.reserved
    package var sequence = TargetSequence()
    package init() {}

    @inlinable @inline(__always)
    package mutating func layout(_ coder: inout HeaderCoder) {
        coder.flag(&isFinal, mask: 0x80, at: 1)
        coder.flag(&isContinued, mask: 0x40, at: 1)
        coder.field(&logicalUnit.rawValue, at: 8)
        coder.field(&initiatorTaskTag, at: 16)
        coder.field(&targetTransferTag, at: 20)
        sequence.layout(&coder)
    }
}
