// SPDX-License-Identifier: Apache-2.0
import SCSI
import TestSupport
import Testing

/// Random commands, reconnects and restarts of several nexuses, compared with the model after each step.
@Suite struct ReservationModelTests {
    private static let nexuses = UInt64(1)...5

    private struct Run {
        var owner = UnitOwner(nexuses: [])
        var model = ReservationModel()
        var random: SeededRandom
        var boot = 1
        /// How often each kind of thing happened: a run that only ever conflicts proves nothing.
        var counts: [String: Int] = [:]

        init(seed: UInt64) { random = SeededRandom(seed: seed) }

        mutating func count(_ name: String, _ answer: Answer) { counts["\(name) \(answer)", default: 0] += 1 }

        mutating func out(_ nexus: UInt64) -> (Answer, Answer) {
            let action: [UnitOwner.Out] = [
                .register, .registerAndIgnore, .reserve, .reserve, .release, .clear, .preempt, .preemptAndAbort,
                .register,
            ]
            let chosen = action[random.below(action.count)]
            if chosen == .clear, !random.oneIn(4) { return medium(nexus) }
            let types: [UInt8] = [1, 3, 5, 6, 7, 8, 8, 7, 6, 5, 0, 2, 0x15]
            var type = types[random.below(types.count)]
            if chosen == .release, random.oneIn(2) { type = model.type ?? type }
            let isRegistration = chosen == .register || chosen == .registerAndIgnore
            let key = random.oneIn(8) ? UInt64(random.below(4)) : model.keys[nexus] ?? 0
            let newKey = isRegistration && random.oneIn(2) ? nexus % 3 + 1 : UInt64(random.below(4))
            let keeps = random.oneIn(2)
            let expected = model.out(
                chosen, scopeAndType: type, key: key, newKey: newKey, keeps: keeps, nexus)
            let found = owner.out(
                chosen, type: type, key: key, newKey: newKey, flags: keeps ? 1 : 0, from: nexus)
            count("\(chosen)", expected)
            return (found, expected)
        }

        mutating func medium(_ nexus: UInt64) -> (Answer, Answer) {
            let writes = random.oneIn(2)
            let expected = model.medium(writes: writes, nexus)
            count(writes ? "write" : "read", expected)
            return (owner.admit([writes ? 0x8A : 0x88], from: nexus), expected)
        }

        mutating func olderReservation(_ nexus: UInt64) -> (Answer, Answer) {
            let releases = !random.oneIn(3)
            let expected = releases ? model.release(nexus) : model.reserve(nexus)
            count(releases ? "release6" : "reserve6", expected)
            return (owner.send([releases ? 0x17 : 0x16], from: nexus), expected)
        }

        mutating func event(_ nexus: UInt64) throws {
            switch random.below(5) {
            case 0:
                owner.lose(nexus)
                model.lose(nexus)
            case 1: try owner.restart(powerOn: "boot-\(boot)")
            case 2 where random.oneIn(4):
                boot += 1
                try owner.restart(powerOn: "boot-\(boot)")
                model.powerOn()
            case 3:
                owner.reset(.logicalUnit)
                model.reset(0x2903)
            default:
                owner.attach(nexus)
                model.attach(nexus)
            }
        }

        mutating func step() throws -> (Answer, Answer) {
            let nexus = UInt64(1 + random.below(5))
            if random.oneIn(20) || !model.sessions.contains(nexus) {
                try event(nexus)
                return (.good, .good)
            }
            return switch random.below(8) {
            case 0, 1, 2: medium(nexus)
            case 3: olderReservation(nexus)
            default: out(nexus)
            }
        }

        var differences: [String] {
            let reservations = owner.server.state.persistentReservations
            let keys = Dictionary(
                uniqueKeysWithValues: reservations.registrants.map { ($0.nexus.rawValue, $0.key.rawValue) })
            var names: [String] = []
            if keys != model.keys { names.append("keys \(keys) \(model.keys)") }
            if owner.reservedType != model.type || owner.holder != model.holder { names.append("reservation") }
            if owner.generation != model.generation { names.append("generation") }
            if owner.server.state.reservingNexus?.rawValue != model.reserver { names.append("reserver") }
            if Set(owner.server.state.nexuses.attached.keys.map(\.rawValue)) != model.sessions {
                names.append("sessions")
            }
            return names
        }
    }

    @Test(arguments: Array(UInt64(1)...20)) func behavesAsTheModel(seed: UInt64) throws {
        var run = Run(seed: seed)
        try run.owner.restart(powerOn: "boot-1")
        for step in 0..<1500 {
            let (found, expected) = try run.step()
            let differences = run.differences
            guard found == expected, differences.isEmpty else {
                Issue.record("seed \(seed), step \(step): \(found), not \(expected); \(differences)")
                return
            }
        }
        // What is still pending is told, too.
        for nexus in run.model.sessions {
            let codes = run.owner.attentions(nexus)
            #expect(codes == run.model.pending[nexus] ?? [], "seed \(seed)")
        }
        for name in [
            "register", "registerAndIgnore", "reserve", "release", "preempt", "preemptAndAbort", "read", "write",
        ] {
            #expect(run.counts["\(name) good", default: 0] > 0, "seed \(seed): no \(name) was good")
        }
    }
}
