// SPDX-License-Identifier: Apache-2.0
package import Wire

/// StatSN, ExpCmdSN and MaxCmdSN at bytes 24-35: shared by all PDUs of a target (RFC 7143 §4.2.2).
package struct TargetSequence: Equatable, Sendable {
    package var statSN = SerialNumber(0)
    package var expCmdSN = SerialNumber(0)
    package var maxCmdSN = SerialNumber(0)
    package init() {}

    package init(statSN: SerialNumber, expCmdSN: SerialNumber, maxCmdSN: SerialNumber) {
        self.statSN = statSN
        self.expCmdSN = expCmdSN
        self.maxCmdSN = maxCmdSN
    }

    @inlinable @inline(__always)
    package mutating func layout(_ coder: inout HeaderCoder) {
        coder.field(&statSN.rawValue, at: 24)
        coder.field(&expCmdSN.rawValue, at: 28)
        coder.field(&maxCmdSN.rawValue, at: 32)
    }
}
