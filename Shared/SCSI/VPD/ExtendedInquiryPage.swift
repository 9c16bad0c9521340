// SPDX-License-Identifier: Apache-2.0

/// Extended INQUIRY data, page 86h (SPC-4 §7.8.7).
enum ExtendedInquiryPage {
    static func body(of unit: LogicalUnit) -> [UInt8] {
        // No protection to check; SIMPSUP, as every task attribute is carried out as SIMPLE; V_SUP with a write cache.
        var body: [UInt8] = [0x00, 0x01, unit.isWriteCacheEnabled ? 0x01 : 0x00]
        body.appendZeros(57)
        return body
    }
}
