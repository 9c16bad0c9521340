// SPDX-License-Identifier: Apache-2.0
import Wire

/// What precedes the mode pages: the header of MODE SENSE(6) or (10) and the block descriptor (SPC-4 §7.5.5, SBC-3
/// §6.5.2).
struct ModeParameterHeader {
    let isLong: Bool
    let hasBlockDescriptor: Bool
    /// The descriptor of 16 bytes, with a 64-bit count.
    let usesLongAddresses: Bool

    func data(of unit: LogicalUnit, isWriteProtected: Bool, pages: [UInt8]) -> [UInt8] {
        let descriptor = blockDescriptor(of: unit)
        // WP, and DPOFUA: the commands accept both bits.
        let deviceSpecific: UInt8 = (isWriteProtected ? 0x80 : 0) | 0x10
        var data: [UInt8] = []
        if isLong {
            // The length does not count itself; neither does it below.
            data.appendBigEndian(UInt16(6 + descriptor.count + pages.count))
            data += [0, deviceSpecific, hasBlockDescriptor && usesLongAddresses ? 0x01 : 0, 0]
            data.appendBigEndian(UInt16(descriptor.count))
        } else {
            data += [UInt8(3 + descriptor.count + pages.count), 0, deviceSpecific, UInt8(descriptor.count)]
        }
        return data + descriptor + pages
    }

    private func blockDescriptor(of unit: LogicalUnit) -> [UInt8] {
        guard hasBlockDescriptor else { return [] }
        var descriptor: [UInt8] = []
        if usesLongAddresses {
            descriptor.appendBigEndian(unit.blockCount)
            descriptor.appendZeros(4)
        } else {
            descriptor.appendBigEndian(UInt32(clamping: unit.blockCount))
        }
        descriptor.appendBigEndian(unit.blockSize.rawValue)
        return descriptor
    }
}
