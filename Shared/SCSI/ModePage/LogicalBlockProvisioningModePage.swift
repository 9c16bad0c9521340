// SPDX-License-Identifier: Apache-2.0

/// Logical block provisioning, page 1Ch subpage 02h (SBC-3 §6.5.8): one threshold, on the resource that is left.
enum LogicalBlockProvisioningModePage {
    private static let enabled: UInt8 = 0x80
    /// The parameter code of the resource in the log page of the same name.
    private static let availableResource: UInt8 = 0x01

    /// SITUA 0: each threshold is told every nexus. The threshold is soft (type 0) and armed when the count decreases
    /// (arming 0).
    static func body(of parameters: ModeParameters) -> [UInt8] {
        var body = [UInt8](repeating: 0, count: 12)
        let threshold = parameters.softThresholdSectorCount
        body += [threshold == nil ? 0 : enabled, availableResource, 0, 0]
        body.appendBigEndian(UInt32(clamping: (threshold ?? 0) >> UInt64(BlockLimits.thresholdExponent)))
        return body
    }
}
