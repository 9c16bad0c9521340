// SPDX-License-Identifier: Apache-2.0
import SCSI
import Testing

/// RESERVE and RELEASE of SPC-2. Nexus 1 has the unit reserved.
@Suite struct ReserveReleaseTests {
    private static let allowed: [[UInt8]] = [
        [0x03, 0, 0, 0, 18], [0x17], [0x57], [0x25], [0x9E, 0x10], [0x1E, 0, 0, 0, 0],
    ]
    private static let refused: [[UInt8]] = [
        [0x00], [0x1A, 0, 0x3F, 0, 255], [0x5A, 0, 0x3F], [0x15, 0x10], [0x55, 0x10], [0x16], [0x56], [0x5E, 0],
        [0x5E, 1],
        [0x5E, 2], [0x5E, 3], [0x1E, 0, 0, 0, 1], [0x1B, 0, 0, 0, 1], [0x1B], [0x37], [0xB7], [0x9E, 0x12],
        [0x83, 0], [0x84, 0], [0x84, 3], [0xA3, 0x0A], [0xA3, 0x0C], [0x48, 0x02],
    ]
    private static let medium: [UInt8] = [
        0x08, 0x0A, 0x28, 0x2A, 0xA8, 0xAA, 0x88, 0x8A, 0x2E, 0xAE, 0x8E, 0x2F, 0xAF, 0x8F, 0x34, 0x90, 0x35, 0x91,
        0x41, 0x93, 0x42, 0x89, 0x8B, 0x9C,
    ]

    private func reserved(_ opcode: UInt8 = 0x16) -> UnitOwner {
        var owner = UnitOwner { $0.isSanitizeAllowed = true }
        #expect(owner.send([opcode], from: 1) == .good)
        return owner
    }

    @Test(arguments: [0x16, 0x56] as [UInt8]) func othersAreShutOut(opcode: UInt8) {
        for cdb in Self.allowed {
            var owner = reserved(opcode)
            for nexus in UInt64(1)...3 { #expect(owner.send(cdb, from: nexus) == .good, "\(cdb)") }
        }
        for cdb in Self.refused {
            var owner = reserved(opcode)
            #expect(owner.send(cdb, from: 2) == .conflict, "\(cdb)")
            #expect(owner.send(cdb, from: 1) != .conflict, "\(cdb)")
        }
        var owner = reserved(opcode)
        for opcode in Self.medium {
            #expect(owner.admit([opcode], from: 2) == .conflict && owner.admit([opcode], from: 1) == .good)
        }
        for opcode in [0x12, 0xA0] as [UInt8] { #expect(owner.admit([opcode], from: 2) == .good) }
        for action in UInt8(0)...6 {
            let cdb: [UInt8] = [0x5F, action, 1, 0, 0, 0, 0, 0, 24]
            #expect(owner.send(cdb, UnitOwner.list(key: 0, newKey: 1), from: 2) == .conflict)
        }
    }

    @Test func reservingAndReleasingAgainIsGood() {
        var owner = reserved()
        #expect(owner.send([0x16], from: 1) == .good)
        #expect(owner.send([0x56], from: 1) == .good)
        #expect(owner.send([0x17], from: 2) == .good)
        #expect(owner.server.state.reservingNexus == NexusID(rawValue: 1))
        #expect(owner.send([0x57], from: 1) == .good)
        #expect(owner.send([0x17], from: 1) == .good)
        #expect(owner.send([0x16], from: 2) == .good)
    }

    @Test func onlyWholeUnitsAreReservedAndOnlyForOneself() {
        for opcode in [0x16, 0x17, 0x56, 0x57] as [UInt8] {
            var owner = UnitOwner()
            for flag in [0x10, 0x01] as [UInt8] { #expect(owner.send([opcode, flag]) == .illegal(0x2400)) }
            #expect(owner.send([opcode, 0x02]) == (opcode >= 0x56 ? .illegal(0x2400) : .good))
        }
    }

    @Test func registrationsKeepTheUnitFromBeingReserved() {
        for opcode in [0x16, 0x17, 0x56, 0x57] as [UInt8] {
            var owner = UnitOwner()
            owner.register(2)
            for nexus in UInt64(1)...3 { #expect(owner.send([opcode], from: nexus) == .conflict) }
        }
    }

    @Test func whoRegistersMayStillReleaseTheOlderReservation() {
        var owner = reserved()
        owner.register(1)
        #expect(owner.keys == [0xA1])
        #expect(owner.send([0x17], from: 1) == .good)
        #expect(owner.server.state.reservingNexus == nil)
    }

    @Test func theReservationEndsWithTheSessionAndWithResets() {
        let events: [(inout UnitOwner) -> Void] = [
            { $0.lose(1) }, { $0.attach(1) }, { $0.server.lose(allThrough: UnitOwner.frontend) },
            { $0.reset(.logicalUnit) }, { $0.reset(.targetWarm) }, { $0.reset(.targetCold) },
        ]
        for event in events {
            var owner = reserved()
            event(&owner)
            #expect(owner.server.state.reservingNexus == nil)
            owner.attach(2)
            _ = owner.attentions(2)
            #expect(owner.send([0x16], from: 2) == .good)
        }
        var owner = reserved()
        owner.lose(2)
        owner.attach(3)
        #expect(owner.server.state.reservingNexus == NexusID(rawValue: 1))
    }
}
