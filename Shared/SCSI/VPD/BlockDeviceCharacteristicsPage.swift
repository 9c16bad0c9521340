// SPDX-License-Identifier: Apache-2.0

/// Block device characteristics, page B1h (SBC-3 §6.6.2).
enum BlockDeviceCharacteristicsPage {
    /// WABEREQ and WACEREQ 1: after a block or cryptographic erase reads give no error.
    private static let readsAfterErase: UInt8 = 0x50

    static func body(of unit: LogicalUnit) -> [UInt8] {
        var body: [UInt8] = []
        body.appendBigEndian(UInt16(1))  // Does not rotate.
        body += [0, unit.isSanitizeAllowed ? readsAfterErase : 0]  // Product type and form factor 0.
        body.appendZeros(56)  // FUAB and VBULS 0.
        return body
    }
}
