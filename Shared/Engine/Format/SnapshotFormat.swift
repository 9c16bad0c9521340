// SPDX-License-Identifier: Apache-2.0
package import Wire

/// A snapshot: a HEAD that is kept (docs/formats/snapshot.md).
package struct SnapshotRecord: Hashable, Codable, Sendable {
    package enum State: String, Codable, Sendable { case pending, completed, error, deleting }

    package var formatVersion: Int
    package var id: SnapshotID
    package var volume: VolumeID
    package var volumeName: String
    package var volumeByteCount: UInt64
    package var description: String
    package var createdMilliseconds: UInt64
    package var state: State
    package var commitNumber: UInt64
    /// The whole HEAD as of the snapshot: its root is what is retained, its settings are a new volume's defaults.
    package var head: Head

    package init(
        formatVersion: Int = SnapshotFormat.version, id: SnapshotID, head: Head, description: String,
        createdMilliseconds: UInt64, state: State
    ) {
        self.formatVersion = formatVersion
        self.id = id
        volume = head.volume
        volumeName = head.name
        volumeByteCount = head.byteCount
        self.description = description
        self.createdMilliseconds = createdMilliseconds
        self.state = state
        commitNumber = head.commitNumber
        self.head = head
    }
}

/// A snapshot's record as stored: `RecordFormat` of a `SnapshotRecord`. Version history: 1, first.
package enum SnapshotFormat {
    package static let version = 1
    /// HEAD's limit and room for the rest.
    package static let byteLimit = HeadFormat.byteLimit + (64 << 10)
    private static let format = RecordFormat(name: .snapshot, newestVersion: version, byteLimit: byteLimit)

    package static func encode(_ record: SnapshotRecord) throws(EngineError) -> [UInt8] { try format.encode(record) }

    package static func decode(_ bytes: [UInt8]) throws(EngineError) -> SnapshotRecord {
        let record: SnapshotRecord = try format.decode(from: bytes)
        guard record.head.formatVersion <= HeadFormat.version else {
            throw .newerFormat(.head, version: record.head.formatVersion)
        }
        try HeadFormat.check(record.head, format: .snapshot)
        guard record.volume == record.head.volume, record.volumeByteCount == record.head.byteCount,
            record.commitNumber == record.head.commitNumber
        else { throw .malformed(.snapshot, reason: "it and the HEAD in it disagree") }
        return record
    }
}
