// SPDX-License-Identifier: Apache-2.0
import Wire

/// Logical block provisioning, page B2h (SBC-3 §6.6.4).
enum LogicalBlockProvisioningPage {
    static func body(of unit: LogicalUnit) -> [UInt8] {
        [
            BlockLimits.thresholdExponent - unit.blockSize.exponent,
            0xE4,  // LBPU, LBPWS, LBPWS10, LBPRZ: UNMAP and WRITE SAME unmap, and what is unmapped reads as zeros.
            0x02,  // Thin provisioned.
            0x00,
        ]
    }
}
