// SPDX-License-Identifier: Apache-2.0

/// MODE SENSE(6) and (10), SPC-4 §6.13-6.14.
struct ModeSenseCDB {
    enum PageControl: UInt8 { case current, changeable, defaults, saved }

    /// MODE SENSE(10): a longer header.
    let isLong: Bool
    let disableBlockDescriptors: Bool
    /// LLBAA of MODE SENSE(10): the block descriptor may be the long one.
    let longAddressesAccepted: Bool
    let pageControl: PageControl
    let pageCode: UInt8
    let subpageCode: UInt8
    let allocationLength: Int

    init(_ cdb: CDB) {
        isLong = cdb.form == .ten
        disableBlockDescriptors = cdb.bit(3, ofByte: 1)
        longAddressesAccepted = isLong && cdb.bit(4, ofByte: 1)
        pageControl = PageControl(rawValue: cdb.byte(2) >> 6) ?? .saved
        pageCode = cdb.byte(2) & 0x3F
        subpageCode = cdb.byte(3)
        allocationLength = isLong ? Int(cdb.field(at: 7, byteCount: 2)) : Int(cdb.byte(4))
    }
}
