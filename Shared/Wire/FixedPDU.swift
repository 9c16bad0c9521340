// SPDX-License-Identifier: Apache-2.0

/// A PDU whose header is one fixed 48-byte layout. The lengths in bytes 4-7 belong to the framing, not to the PDU.
package protocol FixedPDU {
    static var opcode: UInt8 { get }
    init()
    /// Names every field with its offset, once; run to decode and to encode.
    mutating func layout(_ coder: inout HeaderCoder)
}

extension FixedPDU {
    /// Nil when the header carries another opcode. Reserved bits are ignored, as RFC 7143 §11 asks of receivers.
    @inlinable @inline(__always)
    package init?(decoding header: HeaderBytes) {
        guard header[0] & 0x3f == Self.opcode else { return nil }
        self.init()
        var coder = HeaderCoder(decoding: header)
        layout(&coder)
    }

    /// - Parameter dataSegmentByteCount: without padding; at most 2^24 - 1.
    @inlinable @inline(__always)
    package func encoded(dataSegmentByteCount: Int = 0, additionalHeaderByteCount: Int = 0) -> HeaderBytes {
        precondition(dataSegmentByteCount >= 0 && dataSegmentByteCount < 1 << 24)
        precondition(additionalHeaderByteCount.isMultiple(of: 4) && 0...1020 ~= additionalHeaderByteCount)
        var coder = HeaderCoder()
        var copy = self
        copy.layout(&coder)
        coder.bytes[0] |= Self.opcode
        coder.bytes[4] = UInt8(truncatingIfNeeded: additionalHeaderByteCount / 4)
        var length = UInt32(truncatingIfNeeded: dataSegmentByteCount)
        coder.field24(&length, at: 5)
        return coder.bytes
    }
}
