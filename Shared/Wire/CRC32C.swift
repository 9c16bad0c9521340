// SPDX-License-Identifier: Apache-2.0
import CISAL

/// CRC-32C (Castagnoli, reflected 82F63B78, initial and final FFFFFFFF), as in RFC 7143 §13.1 and our formats.
package enum CRC32C {
    /// - Parameter crc: the checksum of what precedes `bytes`, or 0 at the start.
    package static func checksum(_ bytes: UnsafeRawBufferPointer, continuing crc: UInt32 = 0) -> UInt32 {
        guard let base = bytes.baseAddress, bytes.count > 0 else { return crc }
        // ISA-L takes a mutable pointer and does not write through it.
        let pointer = unsafe UnsafeMutablePointer(mutating: base.assumingMemoryBound(to: UInt8.self))
        return unsafe ~crc32_iscsi(pointer, Int32(bytes.count), ~crc)
    }

    package static func checksum(_ bytes: [UInt8]) -> UInt32 {
        unsafe bytes.withUnsafeBytes { unsafe checksum($0) }
    }

    /// The checksum of a block of zeros.
    package static let zeroBlock: UInt32 = checksum([UInt8](repeating: 0, count: Geometry.blockByteCount))
}
