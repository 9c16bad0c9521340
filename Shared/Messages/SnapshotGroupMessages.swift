// SPDX-License-Identifier: Apache-2.0
package import Wire

/// Volumes that were frozen at one instant, and what became of each.
package struct SnapshotGroupDescription: Codable, Sendable, Equatable {
    package var id: SnapshotGroupID
    package var description: String
    package var state: SnapshotState
    /// Why it is an error, for people.
    package var reason: String?
    package var createdMilliseconds: UInt64
    package var cutMilliseconds: UInt64
    /// How long the volumes stood still.
    package var pauseMicroseconds: UInt64
    package var members: [SnapshotDescription]
    package init(
        id: SnapshotGroupID, description: String, state: SnapshotState, reason: String?, createdMilliseconds: UInt64,
        cutMilliseconds: UInt64, pauseMicroseconds: UInt64, members: [SnapshotDescription]
    ) {
        self.id = id
        self.description = description
        self.state = state
        self.reason = reason
        self.createdMilliseconds = createdMilliseconds
        self.cutMilliseconds = cutMilliseconds
        self.pauseMicroseconds = pauseMicroseconds
        self.members = members
    }
}

/// Retains several volumes as they are at one instant. Answers when all of them were cut.
package struct SnapshotGroupCreateRequest: BusRequest {
    package typealias Reply = SnapshotGroupDescription
    package static let kind = MessageKind.snapshotGroupCreate
    package var volumes: [VolumeReference]
    package var description: String
    package init(volumes: [VolumeReference], description: String) {
        self.volumes = volumes
        self.description = description
    }
}

/// All groups, or the one asked for.
package struct SnapshotGroupListRequest: BusRequest {
    package static let kind = MessageKind.snapshotGroupList
    package var id: SnapshotGroupID?
    package init(id: SnapshotGroupID? = nil) { self.id = id }
    package struct Reply: Codable, Sendable {
        package var groups: [SnapshotGroupDescription]
        package init(groups: [SnapshotGroupDescription]) { self.groups = groups }
    }
}
