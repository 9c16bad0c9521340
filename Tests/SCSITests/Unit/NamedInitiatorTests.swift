// SPDX-License-Identifier: Apache-2.0
import SCSI
import Testing

/// PERSISTENT RESERVE OUT with TransportIDs: registering for others (SPEC_I_PT) and REGISTER AND MOVE.
@Suite struct NamedInitiatorTests {
    private static let targetName = TestUnit.make().targetName

    private static func port(_ host: Int) -> String { "iqn.2026-11.org.example:host\(host),i,0x00023d00000\(host)" }
    private static func nexus(_ host: Int) -> UInt64 {
        NexusID(initiatorPort: port(host), targetName: targetName).rawValue
    }
    private let first = nexus(1)
    private let second = nexus(2)
    private let third = nexus(3)

    /// - Parameter hosts: are logged in.
    private func owner(_ hosts: Int...) -> UnitOwner {
        var owner = UnitOwner(nexuses: [])
        for host in hosts {
            owner.server.attach(
                initiatorPort: Self.port(host), access: "", from: owner.origin(Self.nexus(host)))
            _ = owner.attentions(Self.nexus(host))
        }
        return owner
    }

    private func transportID(_ name: String, format: UInt8 = 0x45) -> [UInt8] {
        var bytes = Array(name.utf8) + [0]
        while bytes.count < 20 || bytes.count % 4 != 0 { bytes.append(0) }
        return [format, 0] + UInt16(bytes.count).bytes + bytes
    }

    private func send(_ action: UInt8, _ list: [UInt8], from nexus: UInt64, _ owner: inout UnitOwner) -> Answer {
        owner.send([0x5F, action, 0, 0, 0] + UInt32(list.count).bytes + [0], list, from: nexus)
    }

    private func register(
        _ key: UInt64 = 0, _ newKey: UInt64, _ ids: [[UInt8]], flags: UInt8 = 0x08, action: UInt8 = 0,
        from nexus: UInt64, _ owner: inout UnitOwner
    ) -> Answer {
        let identifiers = Array(ids.joined())
        let list =
            UnitOwner.list(key: key, newKey: newKey, flags: flags) + UInt32(identifiers.count).bytes + identifiers
        return send(action, list, from: nexus, &owner)
    }

    private func move(
        _ key: UInt64, _ newKey: UInt64, to id: [UInt8], flags: UInt8 = 0, targetPort: UInt16 = 1,
        from nexus: UInt64, _ owner: inout UnitOwner
    ) -> Answer {
        let list =
            key.bytes + newKey.bytes + [0, flags] + targetPort.bytes + UInt32(id.count).bytes + id
        return send(7, list, from: nexus, &owner)
    }

    // MARK: SPEC_I_PT

    @Test func othersAreRegisteredWithTheSameKeyAlsoBeforeTheyLogIn() throws {
        var owner = owner(1, 2)
        let ids = [transportID(Self.port(2)), transportID(Self.port(3))]
        #expect(register(0, 5, ids, flags: 0x0D, from: first, &owner) == .good)
        let reservations = owner.server.state.persistentReservations
        #expect(reservations.registrants.map(\.nexus.rawValue) == [first, second, third])
        #expect(reservations.registrants.map(\.port) == [1, 2, 3].map { Self.port($0) })
        #expect(reservations.registrants.allSatisfy(\.isForAllTargetPorts) && reservations.isKeptOverPowerLoss)
        #expect(owner.keys == [5, 5, 5] && owner.generation == 1)
        #expect(owner.attentions(second) == [])
        try owner.restart(powerOn: "boot-2")
        #expect(owner.keys == [5, 5, 5])
        owner.server.attach(initiatorPort: Self.port(3), access: "", from: owner.origin(third))
        _ = owner.attentions(third)
        #expect(owner.out(.reserve, type: 5, key: 5, from: third) == .good)
    }

    @Test func whoIsRegisteredKeepsItsKey() {
        var owner = owner(1, 2)
        #expect(owner.out(.register, newKey: 9, from: second) == .good)
        let ids = [transportID(Self.port(2)), transportID(Self.port(1)), transportID(Self.port(2))]
        #expect(register(0, 5, ids, from: first, &owner) == .good)
        #expect(owner.keys == [9, 5])
    }

    @Test func aDeviceIsAllOfItsPortsThatAreLoggedIn() {
        var owner = owner(1, 2)
        let another = "iqn.2026-11.org.example:host2,i,0x000000000007"
        let otherNexus = NexusID(initiatorPort: another, targetName: Self.targetName).rawValue
        owner.server.attach(initiatorPort: another, access: "", from: owner.origin(otherNexus))
        let device = transportID("iqn.2026-11.org.example:host2", format: 0x05)
        #expect(register(0, 5, [device], from: first, &owner) == .good)
        #expect(
            Set(owner.server.state.persistentReservations.registrants.map(\.nexus.rawValue))
                == [first, second, otherNexus])
        let absent = transportID("iqn.2026-11.org.example:host9", format: 0x05)
        var fresh = self.owner(1)
        #expect(register(0, 5, [absent], from: first, &fresh) == .illegal(0x2600) && fresh.keys.isEmpty)
    }

    @Test func namesAreSpelledAsFrontendsDo() {
        var owner = owner(1)
        let upper = "iqn.2026-11.org.example:HOST2,i,0x23D000002"
        #expect(register(0, 5, [transportID(upper)], from: first, &owner) == .good)
        #expect(owner.server.state.persistentReservations.registrants.last?.nexus.rawValue == second)
    }

    @Test func onlyAFirstRegistrationMayNameOthers() {
        var owner = owner(1, 2)
        let ids = [transportID(Self.port(2))]
        #expect(register(7, 5, ids, from: first, &owner) == .conflict)
        #expect(register(0, 0, ids, from: first, &owner) == .illegal(0x2400))
        #expect(register(0, 5, ids, action: 6, from: first, &owner) == .illegal(0x2600))
        #expect(register(0, 5, [], from: first, &owner) == .good)
        #expect(register(5, 6, ids, from: first, &owner) == .illegal(0x2400))
        #expect(owner.keys == [5])
    }

    @Test func registrationsForOthersAreBoundedTogether() {
        var owner = owner(1)
        let limit = UInt64(PersistentReservations.maximumRegistrantCount)
        for nexus in 1..<limit { #expect(owner.out(.register, newKey: nexus, from: nexus) == .good) }
        #expect(register(0, 5, [transportID(Self.port(2))], from: first, &owner) == .illegal(0x5504))
        #expect(owner.keys.count == Int(limit) - 1)
    }

    // MARK: REGISTER AND MOVE

    @Test func theReservationGoesToTheOneNamed() throws {
        for isLoggedIn in [true, false] {
            for isUnregistering in [false, true] {
                var owner = isLoggedIn ? owner(1, 2, 3) : owner(1, 3)
                #expect(owner.out(.register, newKey: 5, from: first) == .good)
                #expect(owner.out(.reserve, type: 3, key: 5, from: first) == .good)
                let id = transportID(Self.port(2))
                #expect(move(5, 8, to: id, flags: isUnregistering ? 3 : 1, from: first, &owner) == .good)
                #expect(owner.holder == second && owner.reservedType == 3 && owner.generation == 2)
                #expect(owner.keys == (isUnregistering ? [8] : [5, 8]))
                #expect(owner.admit([0x2A], from: first) == .conflict)
                try owner.restart(powerOn: "boot-2")
                #expect(owner.holder == second)
                owner.server.attach(initiatorPort: Self.port(2), access: "", from: owner.origin(second))
                _ = owner.attentions(second)
                #expect(owner.admit([0x2A], from: second) == .good)
            }
        }
    }

    @Test func oneThatIsRegisteredGetsTheNewKey() {
        var owner = owner(1, 2)
        for nexus in [second, first] { #expect(owner.out(.register, newKey: 5, from: nexus) == .good) }
        #expect(owner.out(.reserve, type: 5, key: 5, from: first) == .good)
        #expect(move(5, 8, to: transportID(Self.port(2)), from: first, &owner) == .good)
        #expect(owner.keys == [8, 5] && owner.holder == second)
    }

    @Test func onlyTheOneHolderMovesIt() {
        let id = transportID(Self.port(2))
        for type in [nil, 7, 8] as [UInt8?] {
            var owner = owner(1, 2, 3)
            #expect(move(0, 8, to: id, from: first, &owner) == .conflict)
            for nexus in [first, third] { #expect(owner.out(.register, newKey: 5, from: nexus) == .good) }
            if let type { #expect(owner.out(.reserve, type: type, key: 5, from: third) == .good) }
            #expect(move(5, 8, to: id, from: first, &owner) == (type == nil ? .illegal(0x2400) : .conflict))
            #expect(move(6, 8, to: id, from: third, &owner) == .conflict)
            #expect(owner.keys == [5, 5] && owner.reservedType == type)
        }
    }

    @Test func whatIsNoMoveIsRefused() {
        var owner = owner(1, 2)
        #expect(owner.out(.register, newKey: 5, from: first) == .good)
        #expect(owner.out(.reserve, type: 1, key: 5, from: first) == .good)
        let id = transportID(Self.port(2))
        #expect(move(5, 0, to: id, from: first, &owner) == .illegal(0x2600), "no key")
        #expect(move(5, 8, to: id, targetPort: 0, from: first, &owner) == .illegal(0x2600))
        #expect(move(5, 8, to: id, targetPort: 2, from: first, &owner) == .illegal(0x2600))
        #expect(move(5, 8, to: transportID(Self.port(1)), from: first, &owner) == .illegal(0x2600), "to itself")
        #expect(move(5, 8, to: id + id, from: first, &owner) == .illegal(0x2600), "to two")
        #expect(move(5, 8, to: [], from: first, &owner) == .illegal(0x2600), "to nobody")
        let device = transportID("iqn.2026-11.org.example:host2", format: 0x05)
        #expect(move(5, 8, to: device, from: first, &owner) == .illegal(0x2600))
        #expect(owner.holder == first && owner.keys == [5])
    }

    // MARK: The list

    @Test func whatIsNoTransportIDIsRefused() {
        let good = transportID(Self.port(2))
        var bad: [[UInt8]] = [
            transportID("iqn.2026-11.org.example:host2"), transportID("", format: 0x45), transportID(",i,0x1"),
            transportID("iqn.a,i,0x"), transportID("iqn.a,i,0x1234567890123"), transportID("iqn.a,i,0x+12"),
            transportID("iqn.a,i,0x12", format: 0x46), transportID("iqn.a,i,0x12", format: 0x85),
            transportID(String(repeating: "a", count: 300) + ",i,0x1"), transportID("iqn.a b,i,0x12"),
            Array(good.prefix(16)), [0x45, 0, 0, 16] + [UInt8](repeating: 0x61, count: 16),
            [0x45, 0, 0, 20] + [UInt8](repeating: 0x61, count: 20), [0x45, 0],
        ]
        bad.append(good.enumerated().map { $0.offset == 8 ? 0xFF : $0.element })
        for id in bad {
            var owner = owner(1)
            #expect(register(0, 5, [good, id], from: first, &owner) == .illegal(0x2600), "\(id)")
            #expect(owner.keys.isEmpty)
        }
    }

    @Test func lengthsMustAgree() {
        var owner = owner(1)
        let id = transportID(Self.port(2))
        for (count, cut) in [(id.count - 4, 0), (id.count + 4, 0), (id.count, 4), (Int(UInt32.max), 0)] {
            let list = UnitOwner.list(key: 0, newKey: 5, flags: 8) + UInt32(count).bytes + id
            #expect(send(0, Array(list.dropLast(cut)), from: first, &owner) == .illegal(0x1A00))
        }
        for length in 24..<28 {
            let list = UnitOwner.list(key: 0, newKey: 5, flags: 8) + [UInt8](repeating: 0, count: length - 24)
            #expect(send(0, list, from: first, &owner) == .illegal(0x1A00))
        }
        #expect(owner.keys.isEmpty)
    }
}
