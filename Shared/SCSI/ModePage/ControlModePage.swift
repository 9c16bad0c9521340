// SPDX-License-Identifier: Apache-2.0

/// Control, page 0Ah (SPC-4 §7.5.8). D_SENSE, TST, QERR and SWP are 0.
enum ControlModePage {
    static let body: [UInt8] = [
        0x00,
        0x10,  // Commands may be reordered freely.
        0x00, 0x00, 0x00, 0x00,
        0xFF, 0xFF,  // The unit may be busy for any time.
        0x00, 0x00,
    ]
}
