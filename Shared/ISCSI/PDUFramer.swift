// SPDX-License-Identifier: Apache-2.0
package import Wire

/// One whole PDU in the framer's storage; its ranges hold until the framer is given more bytes.
package struct FramedPDU {
    package let header: HeaderBytes
    /// Additional header segments, within `PDUFramer.storage`.
    package let additionalHeader: Range<Int>
    /// The data segment without padding, within `PDUFramer.storage`.
    package let data: Range<Int>
    /// The data digest does not match: the header is good, the data is not.
    package let hasDataDigestError: Bool

    package init(header: HeaderBytes, additionalHeader: Range<Int>, data: Range<Int>, hasDataDigestError: Bool) {
        self.header = header
        self.additionalHeader = additionalHeader
        self.data = data
        self.hasDataDigestError = hasDataDigestError
    }

    package var opcode: UInt8 { header[0] & 0x3f }
    package var isImmediate: Bool { header[0] & 0x40 != 0 }
}

/// Cuts a byte stream into PDUs: header, additional header segments, header digest, padded data, data digest. Bytes
/// arrive at any boundaries. It owns the receive buffer, whose size follows from our own limit and never from a header.
package struct PDUFramer {
    /// What a login may carry in one PDU, both ways (RFC 7143 §6.2).
    package static let loginDataSegmentLimit = 8192
    private static let headerByteCount = 48
    private static let largestAdditionalHeader = 255 * 4

    package private(set) var storage: [UInt8]
    package private(set) var digests = DigestSettings()
    package private(set) var dataSegmentLimit: Int
    /// The header of the PDU for which `next` threw last.
    package private(set) var refusedHeader = HeaderBytes(repeating: 0)
    private var start = 0
    private var end = 0
    /// The buffer's size once it was full: many sessions are idle and need no more than login does.
    private var fullByteCount: Int

    package init(dataSegmentLimit: Int = PDUFramer.loginDataSegmentLimit) {
        self.dataSegmentLimit = dataSegmentLimit
        fullByteCount = Self.bufferByteCount(dataSegmentLimit: dataSegmentLimit)
        storage = [UInt8](repeating: 0, count: fullByteCount)
    }

    /// Room for the largest PDU, and as much again up to 64 KiB so that small ones are read many at a time.
    private static func bufferByteCount(dataSegmentLimit: Int) -> Int {
        let largest = headerByteCount + largestAdditionalHeader + 2 * DigestSettings.byteCount + dataSegmentLimit + 3
        return largest + min(largest, 64 << 10)
    }

    /// From the next PDU on: the login is over. Bytes that are here already are kept.
    package mutating func beginFullFeaturePhase(dataSegmentLimit: Int, digests: DigestSettings) {
        self.digests = digests
        self.dataSegmentLimit = dataSegmentLimit
        fullByteCount = max(storage.count, Self.bufferByteCount(dataSegmentLimit: dataSegmentLimit))
    }

    /// Bytes that came and are not part of a PDU handed out.
    package var bufferedByteCount: Int { end - start }

    /// Lends the free part of the buffer to `read`, which says how many bytes it put there. There is always room once
    /// `next()` has answered nil.
    package mutating func fill<Failure: Error>(
        _ read: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        compact()
        let free = end..<storage.count
        var filled = 0
        var failure: Failure?
        unsafe storage.withUnsafeMutableBytes { bytes in
            do throws(Failure) {
                filled = try unsafe read(UnsafeMutableRawBufferPointer(rebasing: bytes[free]))
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        precondition(filled >= 0 && filled <= free.count)
        end += filled
        return filled
    }

    /// Takes as many of `bytes` as there is room for, and says how many.
    package mutating func append(_ bytes: some Collection<UInt8>) -> Int {
        compact()
        let count = min(bytes.count, storage.count - end)
        storage.replaceSubrange(end..<end + count, with: bytes.prefix(count))
        end += count
        return count
    }

    /// Moves what is left to the front, when the buffer would otherwise be too short for the PDU that is coming; makes
    /// it longer when it was full.
    private mutating func compact() {
        if end == storage.count, storage.count < fullByteCount {
            storage += [UInt8](repeating: 0, count: fullByteCount - storage.count)
        }
        if start == end {
            start = 0
            end = 0
        } else if start > 0, storage.count - start < storage.count / 2 || end == storage.count {
            let (from, count) = (start, end - start)
            unsafe storage.withUnsafeMutableBytes { bytes in
                let source = unsafe UnsafeRawBufferPointer(rebasing: bytes[from..<from + count])
                unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[0..<count]).copyMemory(from: source)
            }
            start = 0
            end = count
        }
    }

    /// The next whole PDU, or nil until more bytes came. After it threw, the connection has no further PDUs.
    package mutating func next() throws(ISCSIError) -> FramedPDU? {
        let available = end - start
        guard available >= Self.headerByteCount else { return nil }
        let headerStart = start
        let header = HeaderBytes { storage[headerStart + $0] }
        let additionalByteCount = Int(header[4]) * 4
        let dataByteCount = Int(header[5]) << 16 | Int(header[6]) << 8 | Int(header[7])
        defer { if start == headerStart { refusedHeader = header } }
        // The limit comes first: a header digest error hides behind no length that we would have waited for.
        guard digests.header || dataByteCount <= dataSegmentLimit else {
            throw .dataSegmentTooLong(byteCount: dataByteCount, limit: dataSegmentLimit)
        }
        let headerEnd = start + Self.headerByteCount + additionalByteCount
        let dataStart = headerEnd + (digests.header ? DigestSettings.byteCount : 0)
        guard dataStart <= end else { return nil }
        if digests.header {
            let expected = unsafe Digest.checksum(storage.span.bytes.extracting(start..<headerEnd))
            guard expected == digest(at: headerEnd) else { throw .headerDigestMismatch }
            guard dataByteCount <= dataSegmentLimit else {
                throw .dataSegmentTooLong(byteCount: dataByteCount, limit: dataSegmentLimit)
            }
        }
        let paddedEnd = dataStart + (dataByteCount + 3) & ~3
        let hasDataDigest = digests.data && dataByteCount > 0
        let pduEnd = paddedEnd + (hasDataDigest ? DigestSettings.byteCount : 0)
        guard pduEnd <= end else { return nil }
        var hasDataDigestError = false
        if hasDataDigest {
            let found = unsafe Digest.checksum(storage.span.bytes.extracting(dataStart..<paddedEnd))
            hasDataDigestError = found != digest(at: paddedEnd)
        }
        let additional = start + Self.headerByteCount..<headerEnd
        start = pduEnd
        return FramedPDU(
            header: header, additionalHeader: additional, data: dataStart..<dataStart + dataByteCount,
            hasDataDigestError: hasDataDigestError)
    }

    private func digest(at offset: Int) -> UInt32 {
        (0..<4).reduce(0) { $0 | UInt32(storage[offset + $1]) << UInt32(8 * $1) }
    }
}
