// SPDX-License-Identifier: Apache-2.0

/// Third-party copy, page 8Fh (SPC-4 §7.8.17): the one descriptor that must be there, supported commands.
enum ThirdPartyCopyPage {
    private static let supportedCommands: UInt16 = 0x0001

    /// For each opcode the count of its service actions, and these.
    static var body: [UInt8] {
        let list: [UInt8] = [
            0x83, 1, 0x00,  // EXTENDED COPY(LID1).
            0x84, 2, 0x00, 0x03,  // RECEIVE COPY STATUS(LID1) and OPERATING PARAMETERS.
        ]
        var descriptor = [UInt8(list.count)] + list
        descriptor.appendZeros((4 - descriptor.count % 4) % 4)
        var body: [UInt8] = []
        body.appendBigEndian(supportedCommands)
        body.appendBigEndian(UInt16(descriptor.count))
        return body + descriptor
    }
}
