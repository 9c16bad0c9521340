// SPDX-License-Identifier: Apache-2.0
import Wire

/// A snapshot's record as stored: `RecordFormat` of a `SnapshotRecord`.
/// Version history: 1, first; 2, pending and failed snapshots without a HEAD, groups, pins, where it comes from.
package enum SnapshotFormat {
    package static let version = 2
    /// HEAD's limit and room for the pins.
    package static let byteLimit = HeadFormat.byteLimit + (768 << 10)
    private static let format = RecordFormat(name: .snapshot, newestVersion: version, byteLimit: byteLimit)

    package static func encode(_ record: SnapshotRecord) throws(EngineError) -> [UInt8] { try format.encode(record) }

    package static func decode(_ bytes: [UInt8]) throws(EngineError) -> SnapshotRecord {
        let record: SnapshotRecord = try format.decode(from: bytes)
        guard let head = record.head else {
            // One that was deleted before it was complete never had a HEAD.
            guard record.state != .completed, record.formatVersion > 1 else {
                throw .malformed(.snapshot, reason: "a completed snapshot without a HEAD")
            }
            guard record.commitNumber == 0 else {
                throw .malformed(.snapshot, reason: "commit \(record.commitNumber) without its HEAD")
            }
            return record
        }
        guard record.state != .pending else {
            throw .malformed(.snapshot, reason: "it has its HEAD and is pending")
        }
        try HeadFormat.check(embedded: head, format: .snapshot)
        guard record.volume == head.volume, record.volumeByteCount == head.byteCount,
            record.commitNumber == head.commitNumber
        else { throw .malformed(.snapshot, reason: "it and the HEAD in it disagree") }
        return record
    }
}
