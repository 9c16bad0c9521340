// SPDX-License-Identifier: Apache-2.0

extension Sense {
    package static let fixedByteCount = 18

    /// Reads what `encoded(.fixed)` wrote: the form in which a device server's answer travels to the transport. Nil for
    /// anything that is not 18 bytes of current, fixed sense data with a key that there is.
    package init?(fixed bytes: [UInt8]) {
        guard bytes.count == Self.fixedByteCount, bytes[0] & 0x7F == 0x70, let key = Key(rawValue: bytes[2] & 0x0F)
        else { return nil }
        func field(_ range: Range<Int>) -> UInt64 { bytes[range].reduce(0) { $0 << 8 | UInt64($1) } }
        let flags = bytes[15]
        let specific = UInt16(field(16..<18))
        let isOfProgress = key == .notReady || key == .noSense
        let pointer = FieldPointer(
            isInCDB: flags & 0x40 != 0, byte: specific, bit: flags & 0x08 == 0 ? nil : flags & 0x07)
        self.init(
            key, UInt16(field(12..<14)),
            fieldPointer: flags & 0x80 != 0 && !isOfProgress ? pointer : nil,
            information: bytes[0] & 0x80 != 0 ? field(3..<7) : nil,
            progressIndication: flags & 0x80 != 0 && isOfProgress ? specific : nil)
    }
}
