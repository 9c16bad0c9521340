// SPDX-License-Identifier: Apache-2.0
package import Engine
package import Messages
import Synchronization
package import Wire

/// Makes, lists and deletes snapshots for whoever asks. A snapshot is a commit whose root is kept: the cache manager
/// makes the commit, this puts its HEAD into a record of its own.
package struct SnapshotService: Sendable {
    /// Asks the volume's cache manager.
    package typealias Cut = @Sendable (VolumeCutRequest) async throws(BusFault) -> VolumeCutRequest.Reply

    private static let descriptionByteLimit = 1024
    private let catalogue: SnapshotCatalogue
    private let cut: Cut
    private let wallMilliseconds: @Sendable () -> UInt64

    package init(
        catalogue: SnapshotCatalogue, wallMilliseconds: @escaping @Sendable () -> UInt64, cut: @escaping Cut
    ) {
        self.catalogue = catalogue
        self.wallMilliseconds = wallMilliseconds
        self.cut = cut
    }

    /// - Parameter id: derived from the request, so that a request which is repeated after a restart of this service
    ///   finds the snapshot that it has made.
    package func create(
        _ request: SnapshotCreateRequest, id: SnapshotID
    ) async throws(BusFault) -> SnapshotDescription {
        guard request.description.utf8.count <= Self.descriptionByteLimit else {
            throw BusFault(
                .invalidArgument, "the description is longer than \(Self.descriptionByteLimit) bytes; shorten it")
        }
        if let made = try await catalogue.record(id) { return SnapshotDescription(made) }
        let reply = try await cut(VolumeCutRequest(volume: request.volume))
        let head: Head
        do {
            head = try HeadFormat.decode(reply.head)
        } catch {
            throw BusFault(.internalError, "the cache manager sent a HEAD that cannot be read: \(error)")
        }
        guard head.volume == reply.volume, head.commitNumber == reply.commitNumber, head.state == .live else {
            throw BusFault(.internalError, "the cache manager sent another HEAD than that of the commit it made")
        }
        let record = SnapshotRecord(
            id: id, head: head, description: request.description, createdMilliseconds: wallMilliseconds(),
            state: .completed)
        return SnapshotDescription(try await catalogue.add(record))
    }

    package func list(_ request: SnapshotListRequest) async throws(BusFault) -> SnapshotListRequest.Reply {
        guard let id = request.id else {
            let entries = try await catalogue.entries()
            return SnapshotListRequest.Reply(
                snapshots: entries.map { SnapshotDescription($0) }.filter { $0.state != .deleting })
        }
        guard let record = try await catalogue.record(id), record.state != .deleting else {
            throw Self.unknown(id)
        }
        return SnapshotListRequest.Reply(snapshots: [SnapshotDescription(record)])
    }

    /// Marks the record, so that nothing can be made of the snapshot any more; its space comes back with reclaim.
    /// Deleting twice is no mistake: the second may be a repeat of the first.
    package func delete(_ request: SnapshotDeleteRequest) async throws(BusFault) -> SnapshotDescription {
        guard let record = try await catalogue.setState(.deleting, of: request.id) else {
            throw Self.unknown(request.id)
        }
        return SnapshotDescription(record)
    }

    /// How many snapshots are in which state.
    package func counts() async throws(BusFault) -> [SnapshotState: Int] {
        var counts: [SnapshotState: Int] = [:]
        for entry in try await catalogue.entries() { counts[SnapshotDescription(entry).state, default: 0] += 1 }
        return counts
    }

    /// One request has one id, whichever process serves it: the caller's instance, which is random, mixed with the
    /// request's number by a bijection, so that numbers of one caller never share an id.
    package static func id(of number: UInt64, from caller: ServiceInstance) -> SnapshotID {
        SnapshotID(rawValue: SplitMix64.finish(caller.rawValue &+ number &* SplitMix64.step))
    }

    private static func unknown(_ id: SnapshotID) -> BusFault {
        BusFault(.unknownSnapshot, "there is no snapshot \(id); `sluice snapshot list` shows all")
    }
}

extension SnapshotDescription {
    package init(_ record: SnapshotRecord) {
        self.init(
            id: record.id, volume: record.volume, volumeName: record.volumeName,
            volumeByteCount: record.volumeByteCount, description: record.description,
            state: SnapshotState(record.state), createdMilliseconds: record.createdMilliseconds,
            commitNumber: record.commitNumber)
    }

    package init(_ entry: SnapshotCatalogue.Entry) {
        switch entry {
        case .record(let record): self.init(record)
        case .damaged(let id, let reason):
            self.init(
                id: id, volume: VolumeID(rawValue: 0), volumeName: "", volumeByteCount: 0, description: reason,
                state: .error, createdMilliseconds: 0, commitNumber: 0)
        }
    }
}

extension SnapshotState {
    fileprivate init(_ state: SnapshotRecord.State) {
        switch state {
        case .pending: self = .pending
        case .completed: self = .completed
        case .error: self = .error
        case .deleting: self = .deleting
        }
    }
}
