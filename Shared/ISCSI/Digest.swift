// SPDX-License-Identifier: Apache-2.0
import Wire

/// Which digests one direction of a connection carries; both begin with the first PDU after the login.
package struct DigestSettings: Equatable, Sendable {
    package static let byteCount = 4
    package var header = false
    package var data = false
    package init(header: Bool = false, data: Bool = false) {
        self.header = header
        self.data = data
    }
}

/// CRC32C as it lies on the wire: least significant byte first (RFC 7143 §13.1).
package enum Digest {
    @inlinable package static func checksum(_ bytes: RawSpan, continuing crc: UInt32 = 0) -> UInt32 {
        unsafe bytes.withUnsafeBytes { unsafe CRC32C.checksum($0, continuing: crc) }
    }

    package static func append(_ checksum: UInt32, to bytes: inout [UInt8]) {
        for index in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: checksum >> UInt32(8 * index))) }
    }
}
