// SPDX-License-Identifier: Apache-2.0
package import Wire

/// Collects PDUs as they go onto the wire: header, digest, data, padding, digest. The owner empties `bytes`.
package struct PDUWriter {
    package var bytes: [UInt8] = []
    package var digests = DigestSettings()
    package init() {}

    package mutating func append(_ pdu: some FixedPDU) {
        append(header: pdu.encoded())
    }

    package mutating func append(_ pdu: some FixedPDU, data: RawSpan) {
        append(header: pdu.encoded(dataSegmentByteCount: data.byteCount))
        append(data: data)
    }

    package mutating func append(_ pdu: some FixedPDU, data: [UInt8]) {
        unsafe append(pdu, data: data.span.bytes)
    }

    package mutating func append(header: HeaderBytes) {
        let span = header.span
        for index in 0..<48 { bytes.append(span[index]) }
        if digests.header { Digest.append(unsafe Digest.checksum(span.bytes), to: &bytes) }
    }

    /// The data segment of the header that was appended last; it has the length that the header announced.
    package mutating func append(data: RawSpan) {
        guard data.byteCount > 0 else { return }
        unsafe data.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
        appendDataTrailer(of: data)
    }

    /// Padding and digest of a data segment that travels beside this writer.
    package mutating func appendDataTrailer(of data: RawSpan) {
        guard data.byteCount > 0 else { return }
        let padding = -data.byteCount & 3
        for _ in 0..<padding { bytes.append(0) }
        guard digests.data else { return }
        var crc = Digest.checksum(data)
        if padding > 0 {
            let zeros: InlineArray<3, UInt8> = [0, 0, 0]
            crc = unsafe Digest.checksum(zeros.span.bytes.extracting(0..<padding), continuing: crc)
        }
        Digest.append(crc, to: &bytes)
    }
}
