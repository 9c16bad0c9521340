// SPDX-License-Identifier: Apache-2.0
import SCSI
import Testing

/// Who may do what under each type of persistent reservation (SPC-4 tables 64 and 65). Nexus 1 holds it, 2 is
/// registered, 3 is not.
@Suite struct PersistentReservationAccessTests {
    struct Row: Sendable {
        var type: UInt8
        var registrantReads, registrantWrites, otherReads, otherWrites: Bool
    }

    private static let rows = [
        Row(type: 1, registrantReads: true, registrantWrites: false, otherReads: true, otherWrites: false),
        Row(type: 3, registrantReads: false, registrantWrites: false, otherReads: false, otherWrites: false),
        Row(type: 5, registrantReads: true, registrantWrites: true, otherReads: true, otherWrites: false),
        Row(type: 6, registrantReads: true, registrantWrites: true, otherReads: false, otherWrites: false),
        Row(type: 7, registrantReads: true, registrantWrites: true, otherReads: true, otherWrites: false),
        Row(type: 8, registrantReads: true, registrantWrites: true, otherReads: false, otherWrites: false),
    ]

    private static let mediumReads: [UInt8] = [0x08, 0x28, 0xA8, 0x88, 0x2F, 0xAF, 0x8F, 0x34, 0x90]
    private static let mediumWrites: [UInt8] = [
        0x0A, 0x2A, 0xAA, 0x8A, 0x2E, 0xAE, 0x8E, 0x9C, 0x8B, 0x89, 0x41, 0x93, 0x42,
    ]
    private static let ownersReads: [[UInt8]] = [
        [0x37], [0xB7], [0x9E, 0x12], [0x1A, 0, 0x3F, 0, 255], [0x5A, 0, 0x3F, 0, 0, 0, 0, 0, 255], [0x84, 0x03],
    ]
    private static let alwaysAllowed: [[UInt8]] = [
        [0x00], [0x03, 0, 0, 0, 18], [0x5E, 0], [0x5E, 1], [0x5E, 2], [0x5E, 3], [0x25], [0x9E, 0x10], [0xA3, 0x0A],
        [0xA3, 0x0C], [0x1E, 0, 0, 0, 0], [0x1B, 0, 0, 0, 1],
    ]
    private static let ownersWrites: [[UInt8]] = [
        [0x1E, 0, 0, 0, 1], [0x1B, 0, 0, 0, 0], [0x1B, 0, 0, 0, 0x11], [0x15, 0x10], [0x55, 0x10], [0x83, 0],
        [0x48, 0x82],
    ]

    private func owner(_ type: UInt8) -> UnitOwner {
        var owner = UnitOwner { $0.isSanitizeAllowed = true }
        owner.register(1, 2)
        #expect(owner.reserve(type, from: 1) == .good)
        return owner
    }

    @Test(arguments: rows) func mediumAccessFollowsTheMatrix(row: Row) {
        var owner = owner(row.type)
        for opcode in Self.mediumReads {
            #expect(owner.admit([opcode], from: 1) == .good)
            #expect(owner.admit([opcode], from: 2) == (row.registrantReads ? .good : .conflict), "\(opcode)")
            #expect(owner.admit([opcode], from: 3) == (row.otherReads ? .good : .conflict), "\(opcode)")
        }
        for opcode in Self.mediumWrites {
            #expect(owner.admit([opcode], from: 1) == .good)
            #expect(owner.admit([opcode], from: 2) == (row.registrantWrites ? .good : .conflict), "\(opcode)")
            #expect(owner.admit([opcode], from: 3) == (row.otherWrites ? .good : .conflict), "\(opcode)")
        }
    }

    @Test(arguments: rows) func whatTheOwnerPerformsFollowsTheMatrix(row: Row) {
        for (commands, registrant, other) in [
            (Self.ownersReads, row.registrantReads, row.otherReads),
            (Self.ownersWrites, row.registrantWrites, row.otherWrites),
        ] {
            for cdb in commands {
                var owner = owner(row.type)
                let isRefused = [2, 3, 1].map { owner.perform(cdb, from: $0) == .complete(.reservationConflict) }
                #expect(isRefused == [!registrant, !other, false], "\(cdb)")
            }
        }
    }

    @Test(arguments: rows) func someCommandsAreAllowedToEverybody(row: Row) {
        var owner = owner(row.type)
        for cdb in Self.alwaysAllowed {
            for nexus in UInt64(1)...3 { #expect(owner.send(cdb, from: nexus) == .good, "\(cdb) from \(nexus)") }
        }
    }

    @Test(arguments: rows) func registeringIsAllowedToEverybody(row: Row) {
        for action in [UnitOwner.Out.register, .registerAndIgnore] {
            var owner = owner(row.type)
            #expect(owner.out(action, newKey: 0xA3, from: 3) == .good)
            #expect(owner.keys == [0xA1, 0xA2, 0xA3])
        }
    }

    @Test(arguments: rows) func registrantsMayReleaseClearAndPreempt(row: Row) {
        for action in [UnitOwner.Out.release, .clear, .preempt, .preemptAndAbort] {
            var registrant = owner(row.type)
            #expect(registrant.out(action, type: row.type, key: 0xA2, newKey: 0xA1, from: 2) == .good, "\(action)")
            var other = owner(row.type)
            let former = other.server.state.persistentReservations
            #expect(other.out(action, type: row.type, key: 0xA2, newKey: 0xA1, from: 3) == .conflict, "\(action)")
            #expect(other.server.state.persistentReservations == former)
        }
    }

    @Test(arguments: rows) func theOlderReservationConflicts(row: Row) {
        for opcode in [0x16, 0x56, 0x17, 0x57] as [UInt8] {
            var owner = owner(row.type)
            for nexus in UInt64(1)...3 { #expect(owner.send([opcode], from: nexus) == .conflict) }
        }
    }

    @Test func registrationsAloneShutNobodyOut() {
        var owner = UnitOwner()
        owner.register(1, 2)
        for opcode in Self.mediumReads + Self.mediumWrites { #expect(owner.admit([opcode], from: 3) == .good) }
    }
}
