// SPDX-License-Identifier: Apache-2.0

/// Control, page 0Ah (SPC-4 §7.5.8). D_SENSE, TST and QERR are 0, TAS is 1; SWP is the one bit that an initiator may
/// change.
enum ControlModePage {
    private static let softwareWriteProtect: UInt8 = 0x08

    static func body(of parameters: ModeParameters) -> [UInt8] {
        [
            0x00,
            0x10,  // Commands may be reordered freely.
            parameters.isSoftwareWriteProtected ? softwareWriteProtect : 0x00,
            0x40,  // TAS: whose task another initiator ends is told so, and does not wait for its timeout.
            0x00, 0x00,
            0xFF, 0xFF,  // The unit may be busy for any time.
            0x00, 0x00,
        ]
    }

    static let changeableBody: [UInt8] = [0x00, 0x00, softwareWriteProtect, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00]
}
