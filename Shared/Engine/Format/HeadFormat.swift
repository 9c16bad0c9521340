// SPDX-License-Identifier: Apache-2.0
import Wire

/// HEAD as stored: `RecordFormat` of a `Head` (docs/formats/head.md).
/// Version history: 1, first; 2, logical blocks of another size than 512 bytes.
package enum HeadFormat {
    package static let version = 2
    /// About 20,000 packs: one commit's, of the largest upload buffer and the four times `foldPackCount` that may wait
    /// for a fold (docs/adr/0003-size-of-head.md).
    package static let byteLimit = 4 << 20
    private static let format = RecordFormat(name: .head, newestVersion: version, byteLimit: byteLimit)

    /// The oldest that says all there is: who does not know the larger blocks must not show a volume with smaller ones.
    static func version(of blockSize: LogicalBlockSize) -> Int { blockSize == .sector ? 1 : 2 }

    package static func encode(_ head: Head) throws(EngineError) -> [UInt8] { try format.encode(head) }

    package static func decode(_ bytes: [UInt8]) throws(EngineError) -> Head {
        let head: Head = try format.decode(from: bytes)
        try check(head, format: .head)
        return head
    }

    /// A HEAD inside another record, which has a version of its own.
    static func check(embedded head: Head, format: EngineError.FormatName) throws(EngineError) {
        guard head.formatVersion <= version else { throw .newerFormat(.head, version: head.formatVersion) }
        try check(head, format: format)
    }

    /// What later code relies on without looking.
    private static func check(_ head: Head, format: EngineError.FormatName) throws(EngineError) {
        guard head.blockByteCount == Geometry.blockByteCount else {
            throw .malformed(format, reason: "block size \(head.blockByteCount)")
        }
        guard head.formatVersion >= version(of: head.blockSize) else {
            throw .malformed(format, reason: "logical blocks of \(head.blockSize.byteCount) bytes in version 1")
        }
        guard head.byteCount > 0, head.byteCount <= Geometry.largestVolumeByteCount,
            head.byteCount % UInt64(Geometry.blockByteCount) == 0
        else { throw .malformed(format, reason: "volume size \(head.byteCount)") }
        guard (0...9).contains(head.compressionLevel) else {
            throw .malformed(format, reason: "compression level \(head.compressionLevel)")
        }
        guard (head.ownership == .lease) == (head.leaseMilliseconds != nil), head.leaseMilliseconds != 0 else {
            throw .malformed(format, reason: "ownership \(head.ownership.rawValue) without its term")
        }
        guard head.foldNumber < MapEntry.birthLimit else {
            throw .malformed(format, reason: "fold number \(head.foldNumber)")
        }
        guard head.root.tree == nil || head.root.packTable != nil else {
            throw .malformed(format, reason: "a tree without a pack table")
        }
        for pack in head.root.packs {
            let (end, overflow) = pack.directoryOffset.addingReportingOverflow(UInt64(pack.directoryByteCount))
            guard !overflow, end + UInt64(PackFooter.byteCount) == pack.byteCount else {
                throw .malformed(format, reason: "pack \(pack.name) has no room for its directory")
            }
        }
    }
}
