// SPDX-License-Identifier: Apache-2.0
package import Wire

/// A snapshot as the bucket knows it: a HEAD that is kept, or the promise of one (docs/formats/snapshot.md).
package struct SnapshotRecord: Hashable, Codable, Sendable {
    /// `pending`: cut, and not in the bucket yet. `error`: it never will be. `deleting`: nobody sees it any more and
    /// nothing new is made from it; what pins name stays.
    package enum State: String, Codable, Sendable { case pending, completed, error, deleting }
    /// `cut`: frozen at its own instant. `recoveryPoint`: the newest HEAD of that moment was kept.
    package enum Origin: String, Codable, Sendable { case cut, recoveryPoint }

    package var formatVersion: Int
    package var id: SnapshotID
    package var volume: VolumeID
    package var volumeName: String
    package var volumeByteCount: UInt64
    package var description: String
    package var createdMilliseconds: UInt64
    /// The instant of which it is.
    package var cutMilliseconds: UInt64?
    /// When it was `completed`, or known to be an error.
    package var endedMilliseconds: UInt64?
    package var state: State
    /// Why it is an error, for people.
    package var reason: String?
    /// Of the commit it retains; 0 without a HEAD.
    package var commitNumber: UInt64
    /// The whole HEAD as of the snapshot: its root is what is retained, its settings are a new volume's defaults.
    /// Present in every completed snapshot.
    package var head: Head?
    package var origin: Origin?
    /// Made for a clone and not by people; goes when nothing pins it.
    package var isInternal: Bool?
    /// The gateway that made it, and answers for it while it is pending.
    package var gateway: GatewayID?
    package var group: SnapshotGroupMembership?
    package var pins: [SnapshotPin]?

    /// A completed snapshot.
    package init(
        formatVersion: Int = SnapshotFormat.version, id: SnapshotID, head: Head, description: String,
        createdMilliseconds: UInt64, state: State = .completed
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

    /// What the cache manager has promised, kept or given up.
    package init(_ pending: PendingSnapshot, gateway: GatewayID) {
        formatVersion = SnapshotFormat.version
        id = pending.id
        volume = pending.volume
        volumeName = pending.volumeName
        volumeByteCount = pending.volumeByteCount
        description = pending.description
        createdMilliseconds = pending.createdMilliseconds
        cutMilliseconds = pending.cut.wallMilliseconds
        state = pending.head != nil ? .completed : pending.failure != nil ? .error : .pending
        reason = pending.failure
        commitNumber = pending.head?.commitNumber ?? 0
        head = pending.head
        origin = .cut
        isInternal = pending.isInternal ? true : nil
        self.gateway = gateway
        group = pending.group
    }

    package var pinList: [SnapshotPin] { pins ?? [] }
}

/// Which group a snapshot was made in, with all its members, so that each of them can tell what is missing.
package struct SnapshotGroupMembership: Hashable, Codable, Sendable {
    package var id: SnapshotGroupID
    package var members: [SnapshotID]
    /// How long the volumes of its cache manager stood still.
    package var pauseMicroseconds: UInt64
    package init(id: SnapshotGroupID, members: [SnapshotID], pauseMicroseconds: UInt64) {
        self.id = id
        self.members = members
        self.pauseMicroseconds = pauseMicroseconds
    }
}

/// A clone's claim on a snapshot: as long as it stands, no pack that the snapshot names is deleted (STORAGE §7).
package struct SnapshotPin: Hashable, Codable, Sendable {
    /// `pending`: the clone's HEAD is about to be created. `active`: it was.
    package enum State: String, Codable, Sendable { case pending, active }
    package var volume: VolumeID
    package var volumeName: String
    /// Who set it; only this gateway takes away a pin whose volume was never made.
    package var gateway: GatewayID
    package var state: State
    package var createdMilliseconds: UInt64
    package init(
        volume: VolumeID, volumeName: String, gateway: GatewayID, state: State = .pending, createdMilliseconds: UInt64
    ) {
        self.volume = volume
        self.volumeName = volumeName
        self.gateway = gateway
        self.state = state
        self.createdMilliseconds = createdMilliseconds
    }
}

extension SnapshotRecord {
    /// Why a pin is refused.
    package enum PinRefusal: Error, Equatable, Sendable {
        /// Pending, failed or being deleted: there is nothing to pin, or not for long.
        case unusable(State)
        case tooMany(Int)
    }

    package static let pinLimit = 2048

    /// Claims the snapshot for a volume that is about to be made. A repeat changes nothing.
    /// - Parameter heir: the volume whose snapshot the new one is made from. What is being deleted takes no new pins,
    ///   with one exception: whoever inherits from a volume that holds a pin still may share its claim. A record
    ///   without pins that is being deleted can therefore never be pinned again.
    package mutating func pin(_ pin: SnapshotPin, inheritedFrom heir: VolumeID?) throws(PinRefusal) {
        guard !pinList.contains(where: { $0.volume == pin.volume }) else { return }
        switch state {
        case .completed: break
        case .deleting where heir.map { volume in pinList.contains { $0.volume == volume } } ?? false: break
        case .pending, .error, .deleting: throw .unusable(state)
        }
        guard pinList.count < Self.pinLimit else { throw .tooMany(pinList.count) }
        pins = pinList + [pin]
        formatVersion = SnapshotFormat.version
    }

    /// - Returns: whether anything changed.
    package mutating func activatePin(of volume: VolumeID) -> Bool {
        guard let index = pinList.firstIndex(where: { $0.volume == volume && $0.state == .pending }) else {
            return false
        }
        pins?[index].state = .active
        return true
    }

    /// - Returns: whether anything changed.
    package mutating func removePin(of volume: VolumeID) -> Bool {
        guard pinList.contains(where: { $0.volume == volume }) else { return false }
        pins?.removeAll { $0.volume == volume }
        if pins?.isEmpty ?? false { pins = nil }
        return true
    }
}
