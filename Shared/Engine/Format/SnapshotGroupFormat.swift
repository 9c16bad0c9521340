// SPDX-License-Identifier: Apache-2.0
package import Wire

/// Several volumes at one instant: `groups/<id>`, written when it is known how each member ended
/// (docs/formats/snapshot.md). Whether the group is whole today is asked of its members.
package struct SnapshotGroupRecord: Hashable, Codable, Sendable {
    package enum State: String, Codable, Sendable { case completed, error, deleting }
    package struct Member: Hashable, Codable, Sendable {
        package var snapshot: SnapshotID
        package var volume: VolumeID
        package var volumeName: String
        package init(snapshot: SnapshotID, volume: VolumeID, volumeName: String) {
            self.snapshot = snapshot
            self.volume = volume
            self.volumeName = volumeName
        }
    }

    package var formatVersion: Int
    package var id: SnapshotGroupID
    package var gateway: GatewayID
    package var description: String
    package var createdMilliseconds: UInt64
    package var cutMilliseconds: UInt64
    package var state: State
    /// Why it is an error, for people.
    package var reason: String?
    package var pauseMicroseconds: UInt64
    package var members: [Member]

    package init(
        id: SnapshotGroupID, gateway: GatewayID, description: String, createdMilliseconds: UInt64,
        cutMilliseconds: UInt64, state: State, reason: String?, pauseMicroseconds: UInt64, members: [Member]
    ) {
        formatVersion = SnapshotGroupFormat.version
        self.id = id
        self.gateway = gateway
        self.description = description
        self.createdMilliseconds = createdMilliseconds
        self.cutMilliseconds = cutMilliseconds
        self.state = state
        self.reason = reason
        self.pauseMicroseconds = pauseMicroseconds
        self.members = members
    }
}

/// `RecordFormat` of a `SnapshotGroupRecord`. Version history: 1, first.
package enum SnapshotGroupFormat {
    package static let version = 1
    package static let byteLimit = 64 << 10
    package static let memberLimit = 64
    private static let format = RecordFormat(name: .snapshotGroup, newestVersion: version, byteLimit: byteLimit)

    package static func encode(_ record: SnapshotGroupRecord) throws(EngineError) -> [UInt8] {
        try format.encode(record)
    }

    package static func decode(_ bytes: [UInt8]) throws(EngineError) -> SnapshotGroupRecord {
        let record: SnapshotGroupRecord = try format.decode(from: bytes)
        guard !record.members.isEmpty, record.members.count <= memberLimit,
            Set(record.members.map(\.snapshot)).count == record.members.count
        else { throw .malformed(.snapshotGroup, reason: "\(record.members.count) members") }
        return record
    }
}
