// SPDX-License-Identifier: Apache-2.0
import DequeModule
package import Wire

/// The memory in which the volumes of one shard put their packs together, counted in packs: however many volumes have
/// something to upload, and however long the bucket is away, they take no more. First come, first served.
package struct PackReservations {
    package let limit: Int
    private var held: [VolumeID: Int] = [:]
    private var heldCount = 0
    private var waiting: Deque<(volume: VolumeID, token: EffectToken)> = []

    package init(limit: Int) {
        precondition(limit > 0)
        self.limit = limit
    }

    package var isUnused: Bool { heldCount == 0 && waiting.isEmpty }

    /// `Effect.reservePack`.
    package mutating func request(_ token: EffectToken, of volume: VolumeID) { waiting.append((volume, token)) }

    /// The next request that can be answered now, if there is one; the memory is the volume's from here on.
    package mutating func next() -> (volume: VolumeID, token: EffectToken)? {
        guard heldCount < limit, let first = waiting.popFirst() else { return nil }
        heldCount += 1
        held[first.volume, default: 0] += 1
        return first
    }

    /// `Effect.releasePack`.
    package mutating func release(of volume: VolumeID) {
        guard let count = held[volume] else { preconditionFailure("memory given back that was never taken") }
        held[volume] = count > 1 ? count - 1 : nil
        heldCount -= 1
    }

    /// The volume's engine is gone, with all it held and waited for.
    package mutating func forget(_ volume: VolumeID) {
        waiting.removeAll { $0.volume == volume }
        heldCount -= held.removeValue(forKey: volume) ?? 0
    }
}
