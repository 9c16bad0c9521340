// SPDX-License-Identifier: Apache-2.0

/// The additional header segments of one command (RFC 7143 §11.2.2), parsed within their announced length.
package struct AdditionalHeader: Equatable, Sendable {
    /// What follows the first 16 bytes of a long CDB; no known opcode has one.
    package var hasExtendedCDB = false
    /// A bidirectional command; we have none.
    package var isBidirectional = false

    package init(_ bytes: some RandomAccessCollection<UInt8>) throws(ISCSIError) {
        var rest = Array(bytes)[...]
        while !rest.isEmpty {
            guard rest.count >= 4 else { throw .malformedAdditionalHeader }
            let length = Int(rest[rest.startIndex]) << 8 | Int(rest[rest.startIndex + 1])
            let type = rest[rest.startIndex + 2] & 0x3f
            // The length counts what follows the type, its reserved byte included; segments are padded to words.
            let byteCount = (3 + length + 3) & ~3
            guard length >= 1, byteCount <= rest.count else { throw .malformedAdditionalHeader }
            switch type {
            case 1:
                guard length <= 245, !hasExtendedCDB else { throw .malformedAdditionalHeader }
                hasExtendedCDB = true
            case 2:
                guard length == 5, !isBidirectional else { throw .malformedAdditionalHeader }
                isBidirectional = true
            default:
                throw .malformedAdditionalHeader
            }
            rest = rest.dropFirst(byteCount)
        }
    }
}
