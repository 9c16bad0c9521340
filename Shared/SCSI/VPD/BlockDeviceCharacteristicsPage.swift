// SPDX-License-Identifier: Apache-2.0

/// Block device characteristics, page B1h (SBC-3 §6.6.2).
enum BlockDeviceCharacteristicsPage {
    static var body: [UInt8] {
        var body: [UInt8] = []
        body.appendBigEndian(UInt16(1))  // Does not rotate.
        // Product type, then WABEREQ and WACEREQ 0 as there is no SANITIZE, form factor 0; FUAB and VBULS 0.
        body.appendZeros(58)
        return body
    }
}
