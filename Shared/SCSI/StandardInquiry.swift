// SPDX-License-Identifier: Apache-2.0

/// Standard INQUIRY data, SPC-4 §6.6.2: 96 bytes.
enum StandardInquiry {
    private static let byteCount = 96
    /// SAM-5, iSCSI, SPC-4, SBC-3: the versions that conformance tests know.
    private static let versionDescriptors: [UInt16] = [0x00A0, 0x0960, 0x0460, 0x04C0]

    static func data(of unit: LogicalUnit) -> [UInt8] {
        var data: [UInt8] = [
            0x00,  // A direct-access device, connected.
            unit.isRemovable ? 0x80 : 0x00,  // RMB.
            0x06,  // SPC-4.
            0x12,  // HISUP, response data format 2.
            UInt8(byteCount - 5),
            0x18,  // TPGS: implicit ALUA; 3PC: third-party copy; no protection.
            0x10,  // MULTIP: several target ports.
            0x02,  // CMDQUE.
        ]
        data.appendASCII(unit.vendor, byteCount: 8)
        data.appendASCII(unit.product, byteCount: 16)
        data.appendASCII(unit.revision, byteCount: 4)
        data.appendZeros(22)
        for descriptor in versionDescriptors { data.appendBigEndian(descriptor) }
        data.appendZeros(byteCount - data.count)
        return data
    }
}
