// SPDX-License-Identifier: Apache-2.0
import Engine
package import Logging
package import Messages
import ServiceLifecycle
import Synchronization
import Wire

/// Brings what cache managers have promised into the bucket: a pending record while the upload runs, then how it ended;
/// and only then tells the cache manager that it may forget. Every step can be done again, so a death of either
/// service at any moment loses nothing.
package final class SnapshotKeeper: Service, CustomStringConvertible {
    private static let step = Duration.milliseconds(20)
    private static let stepsWhilePending = 4
    private static let stepsWhenIdle = 50
    /// After a failure, so that a bucket that is away is not asked all the time.
    private static let stepsAfterFailure = 100
    private static let settleTimeout = Duration.seconds(5)

    private struct State {
        var isDue = true
        /// Those with a pending record in the bucket.
        var announced: Set<SnapshotID> = []
    }

    private let catalogue: SnapshotCatalogue
    private let groups: GroupCatalogue
    private let owners: VolumeOwners
    private let wallMilliseconds: @Sendable () -> UInt64
    private let logger: Logger
    private let whenSettled: @Sendable () -> Void
    private let state = Mutex(State())

    package init(
        catalogue: SnapshotCatalogue, groups: GroupCatalogue, owners: @escaping VolumeOwners,
        wallMilliseconds: @escaping @Sendable () -> UInt64, logger: Logger,
        whenSettled: @escaping @Sendable () -> Void = {}
    ) {
        self.catalogue = catalogue
        self.groups = groups
        self.owners = owners
        self.wallMilliseconds = wallMilliseconds
        self.logger = logger
        self.whenSettled = whenSettled
    }

    package var description: String { "snapshot keeper" }

    /// Something was cut or changed: looks soon.
    package func notice() { state.withLock { $0.isDue = true } }

    package func run() async throws {
        try? await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                var steps: Int
                do throws(BusFault) {
                    steps = try await self.pass() ? Self.stepsWhilePending : Self.stepsWhenIdle
                } catch {
                    self.logger.warning("Snapshots wait for the bucket", metadata: ["reason": "\(error)"])
                    steps = Self.stepsAfterFailure
                }
                repeat {
                    try await Task.sleep(for: Self.step)
                    steps -= 1
                } while steps > 0 && !self.takeNotice()
            }
        }
    }

    private func takeNotice() -> Bool {
        state.withLock { state in
            defer { state.isDue = false }
            return state.isDue
        }
    }

    /// One look at everything that is promised.
    /// - Returns: whether anything is still on its way.
    @discardableResult
    package func pass() async throws(BusFault) -> Bool {
        let pending = await PendingList.read(owners)
        var settled: [(owner: any VolumeOwner, id: SnapshotID)] = []
        var fault: BusFault?
        for item in pending.items.values.sorted(by: { $0.record.id < $1.record.id }) {
            do throws(BusFault) {
                if item.record.isDecided {
                    if try await settle(item, pending) { settled.append((item.owner, item.record.id)) }
                } else {
                    try await announce(item)
                }
            } catch {
                fault = error
                // The rest would wait for the same bucket.
                if error.code == .bucketUnavailable { break }
            }
        }
        for (owner, id) in settled {
            // Not heard: it is listed again, and settled again.
            _ = try? await owner.ask(SettleSnapshotsRequest(snapshots: [id]), within: Self.settleTimeout)
        }
        state.withLock { $0.announced.formIntersection(pending.items.keys) }
        if !settled.isEmpty { whenSettled() }
        if let fault { throw fault }
        return pending.items.count > settled.count
    }

    private func announce(_ item: PendingList.Item) async throws(BusFault) {
        let id = item.record.id
        guard !state.withLock({ $0.announced.contains(id) }) else { return }
        _ = try await catalogue.add(SnapshotRecord(item.record, gateway: item.gateway))
        state.withLock { _ = $0.announced.insert(id) }
    }

    /// - Returns: whether the cache manager may forget it.
    private func settle(_ item: PendingList.Item, _ pending: PendingList) async throws(BusFault) -> Bool {
        var decided = SnapshotRecord(item.record, gateway: item.gateway)
        decided.endedMilliseconds = wallMilliseconds()
        let record = try await catalogue.settle(decided)
        if record.state == .error {
            logger.error(
                "Snapshot could not be made",
                metadata: [
                    "snapshot": "\(record.id)", "volume": "\(record.volumeName)", "reason": "\(record.reason ?? "")",
                ])
        }
        guard let group = item.record.group else { return true }
        // The last member to be settled writes the group.
        let isWritten = try await groups.finish(group, made: record, pending: pending)
        return isWritten || !isLastMember(of: group, item.record.id, pending)
    }

    /// Whether no other member is left that would write the group's record.
    private func isLastMember(of group: SnapshotGroupMembership, _ id: SnapshotID, _ pending: PendingList) -> Bool {
        !group.members.contains { $0 != id && pending.isPending($0) }
    }
}
