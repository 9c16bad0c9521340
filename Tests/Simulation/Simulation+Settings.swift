// SPDX-License-Identifier: Apache-2.0
import Engine
import TestSupport
import Wire

/// Changing the volume's settings at random moments.
extension Simulation {
    /// Somebody wants the volume larger, or otherwise.
    func amend(_ gateway: SimulatedGateway) {
        guard gateway.volume != nil, gateway.byteCount > 0 else { return }
        var change = HeadChange()
        if random.oneIn(2) {
            // Mostly a little; sometimes so much that the map gets another level.
            let leaves = random.oneIn(4) ? 256 + random.below(600) : 1 + random.below(4)
            let byteCount = gateway.byteCount + UInt64(leaves) * settings.limits.growthByteCount
            if byteCount <= 16 << 30 { change.byteCount = byteCount }
        }
        if random.oneIn(3) { change.name = "simulated \(random.below(1000))" }
        if random.oneIn(3) { change.durability = random.oneIn(2) ? "always" : "onFlush" }
        if random.oneIn(3) { change.isReadOnly = random.oneIn(2) }
        deliver(.amend(change), to: gateway)
        guard random.oneIn(3) else { return }
        // Anywhere between the intent and the local state.
        schedule(
            .action(gateway: gateway.index, life: gateway.life, .crash(random.oneIn(2) ? .power : .process)),
            after: random.below(Int(settings.storeSlowestNanoseconds) * 2))
    }

    /// What a gateway's initiators may rely on.
    func knownByteCount(_ gateway: SimulatedGateway) -> UInt64 { max(gateway.byteCount, settings.volumeByteCount) }

    func amend(_ change: HeadChange, _ volume: Volume, of gateway: SimulatedGateway) {
        let caller = nextCaller()
        gateway.callers[caller] = .amend(change)
        askedByteCount = max(askedByteCount, change.byteCount ?? 0)
        // From now on either may hold.
        if change.durability == "onFlush" { gateway.isAlwaysDurable = false }
        trace.line(now, "g\(gateway.index) is asked to change \(change)")
        volume.amend(change, caller: caller, at: engineTime)
    }

    func amended(_ change: HeadChange, _ head: Head, _ gateway: SimulatedGateway) throws(Violation) {
        rare.add(.amended)
        let isLast = !gateway.callers.values.contains { caller in
            if case .amend = caller { true } else { false }
        }
        guard let volume = gateway.volume, change.byteCount.map({ $0 <= volume.byteCount }) ?? true,
            gateway.disk.state.map({ $0.head.byteCount >= volume.byteCount }) ?? true
        else { throw Violation(.settingsAreKept, "\(change) is confirmed and not in effect") }
        if isLast {
            let isThere =
                change.name.map { $0 == head.name } ?? true && change.durability.map { $0 == head.durability } ?? true
                && change.isReadOnly.map { $0 == head.settings.isReadOnly } ?? true
            guard isThere else { throw Violation(.settingsAreKept, "\(change) is confirmed with \(head.settings)") }
        }
        if headWriter == gateway.index, let object = store[BucketLayout.head(self.volume)] {
            let stored = try decode(object.bytes)
            guard stored.byteCount >= change.byteCount ?? 0 else {
                throw Violation(.settingsAreKept, "\(change) is confirmed and not in HEAD")
            }
        }
        if head.durability == "always", isLast { gateway.isAlwaysDurable = true }
    }

    func settingsChanged(_ head: Head, _ gateway: SimulatedGateway) throws(Violation) {
        trace.line(now, "g\(gateway.index) -> \(head.settings) are in effect")
        guard head.byteCount >= gateway.byteCount else {
            throw Violation(.settingsAreKept, "the volume shrinks from \(gateway.byteCount) to \(head.byteCount)")
        }
        let isAsked = gateway.callers.values.contains { if case .amend = $0 { true } else { false } }
        if head.byteCount > gateway.byteCount { rare.add(isAsked ? .grown : .grewAtRestart) }
        gateway.byteCount = head.byteCount
    }

    /// A volume that has just been opened: no smaller than its users know it.
    func judgeSettings(_ gateway: SimulatedGateway) throws(Violation) {
        guard let volume = gateway.volume else { return }
        guard volume.byteCount >= gateway.byteCount else {
            throw Violation(
                .settingsAreKept, "g\(gateway.index) opens with \(volume.byteCount) of \(gateway.byteCount) bytes")
        }
        gateway.byteCount = volume.byteCount
        if gateway.isRestoredCopy || gateway.disk.state == nil {
            gateway.isAlwaysDurable = volume.settings.durability == "always"
        }
    }

    /// After a crash the volume must reach as far as what its journal holds.
    func requireRoom(for body: JournalRecordBody, _ gateway: SimulatedGateway) throws(Violation) {
        guard let state = gateway.disk.state else { return }
        for range in body.entries.flatMap(\.ranges) where range.sectors.end > state.head.byteCount / 512 {
            throw Violation(
                .settingsAreKept,
                "\(range.sectors) are in the journal, but the local state has only \(state.head.byteCount) bytes")
        }
    }
}
