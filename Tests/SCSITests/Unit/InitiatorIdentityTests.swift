// SPDX-License-Identifier: Apache-2.0
import SCSI
import Testing
import Wire

/// Who is logged in, and what has admitted it.
@Suite struct InitiatorIdentityTests {
    private static let name = "iqn.2026-11.org.example:host1"
    private let nexus = NexusID(rawValue: 1)

    private func owner(_ access: String, port: String = UnitOwner.port(1)) -> UnitOwner {
        var owner = UnitOwner(nexuses: [])
        let isTaken = owner.server.attach(initiatorPort: port, access: access, from: owner.origin(1))
        #expect(isTaken)
        return owner
    }

    @Test(arguments: ["", "rule 3/alice"]) func isKnownByNameAndAccess(access: String) throws {
        var owner = owner(access)
        for _ in 0..<2 {
            #expect(owner.server.initiatorName(of: nexus) == Self.name && owner.server.access(of: nexus) == access)
            #expect(owner.server.isLoggedIn(Self.name, access: access))
            #expect(!owner.server.isLoggedIn(Self.name, access: access + "x"))
            #expect(!owner.server.isLoggedIn(Self.name + "x", access: access))
            try owner.restart()
        }
        owner.lose(1)
        #expect(owner.server.access(of: nexus) == nil && !owner.server.isLoggedIn(Self.name, access: access))
    }

    @Test func whatIsNotKnownIsNobodys() {
        var owner = owner(String(repeating: "x", count: 1025))
        #expect(owner.server.initiatorName(of: nexus) == Self.name && owner.server.access(of: nexus) == nil)
        #expect(!owner.server.isLoggedIn(Self.name, access: ""))
        // Nobody has announced it.
        #expect(owner.send([0x00], from: 9) == .good)
        #expect(owner.server.initiatorName(of: NexusID(rawValue: 9)) == nil)
        #expect(owner.server.access(of: NexusID(rawValue: 9)) == nil)
    }

    @Test func theNameEndsAtTheLastISID() {
        #expect(owner("", port: "iqn.a,i,0x1,i,0x2").server.initiatorName(of: nexus) == "iqn.a,i,0x1")
        #expect(owner("", port: "iqn.a").server.initiatorName(of: nexus) == nil)
        #expect(owner("", port: "").server.initiatorName(of: nexus) == nil)
        let long = String(repeating: "x", count: 250) + ",i,0x00023d000001"
        #expect(owner("", port: long).server.initiatorName(of: nexus) == nil)
    }
}
