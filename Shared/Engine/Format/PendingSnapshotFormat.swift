// SPDX-License-Identifier: Apache-2.0
package import Wire

/// A snapshot that was promised, as the cache manager keeps it on its disk until its record in the bucket says how it
/// ended: where it was cut, then the HEAD that holds it or why there will be none (docs/formats/snapshot.md).
package struct PendingSnapshot: Hashable, Codable, Sendable {
    package var formatVersion: Int
    package var id: SnapshotID
    package var volume: VolumeID
    package var volumeName: String
    package var volumeByteCount: UInt64
    package var description: String
    package var createdMilliseconds: UInt64
    package var cut: CutPoint
    /// What the bucket lacked of it when it was cut.
    package var unstoredByteCount: UInt64
    package var isInternal: Bool
    package var group: SnapshotGroupMembership?
    package var head: Head?
    package var failure: String?

    package init(
        id: SnapshotID, volume: Head, description: String, createdMilliseconds: UInt64, cut: CutPoint,
        unstoredByteCount: UInt64, isInternal: Bool = false, group: SnapshotGroupMembership? = nil
    ) {
        formatVersion = PendingSnapshotFormat.version
        self.id = id
        self.volume = volume.volume
        volumeName = volume.name
        volumeByteCount = volume.byteCount
        self.description = description
        self.createdMilliseconds = createdMilliseconds
        self.cut = cut
        self.unstoredByteCount = unstoredByteCount
        self.isInternal = isInternal
        self.group = group
    }

    /// Nothing will change it any more.
    package var isDecided: Bool { head != nil || failure != nil }
}

/// `RecordFormat` of a `PendingSnapshot`. Version history: 1, first.
package enum PendingSnapshotFormat {
    package static let version = 1
    package static let byteLimit = HeadFormat.byteLimit + (64 << 10)
    private static let format = RecordFormat(name: .pendingSnapshot, newestVersion: version, byteLimit: byteLimit)

    package static func encode(_ record: PendingSnapshot) throws(EngineError) -> [UInt8] { try format.encode(record) }

    /// The volume of a record that cannot be used, if that much of it can be made out.
    package static func volume(ofUnusable bytes: [UInt8]) -> VolumeID? {
        struct Fields: Decodable { let volume: VolumeID }
        let fields: Fields? = format.glean(from: bytes)
        return fields?.volume
    }

    package static func decode(_ bytes: [UInt8]) throws(EngineError) -> PendingSnapshot {
        let record: PendingSnapshot = try format.decode(from: bytes)
        guard let head = record.head else { return record }
        try HeadFormat.check(embedded: head, format: .pendingSnapshot)
        // A volume may have grown before the bucket had its cut.
        guard head.volume == record.volume, head.byteCount >= record.volumeByteCount, record.failure == nil else {
            throw .malformed(.pendingSnapshot, reason: "it and the HEAD in it disagree")
        }
        return record
    }
}
