// SPDX-License-Identifier: Apache-2.0
import SCSI
import Testing

/// Which check wins when several would fail.
@Suite struct AdmissionTests {
    private static let softwareWriteProtect: [UInt8] = [
        0, 0, 0, 0, 0x0A, 0x0A, 0, 0x10, 0x08, 0x40, 0, 0, 0xFF, 0xFF, 0, 0,
    ]
    private static let write: [UInt8] = [0x2A]
    private static let read: [UInt8] = [0x28]

    /// Everything that can refuse a write of nexus 2 does; taking away the first shows the next.
    @Test func refusalsComeInOrder() {
        var owner = UnitOwner { $0.isSanitizeAllowed = true }
        owner.register(1)
        #expect(owner.reserve(3, from: 1) == .good)
        #expect(owner.send([0x15, 0x10, 0, 0, 16], Self.softwareWriteProtect, from: 1) == .good)
        #expect(owner.takeAttention(2) == 0x2A01)
        var unit = owner.server.unit
        unit.isReadOnly = true
        unit.readiness = .becomingReady
        owner.server.update(unit)
        #expect(owner.admit(Self.write, from: 2) == .attention(0x2A01))
        #expect(owner.admit(Self.write, from: 2) == .conflict)
        #expect(owner.out(.clear, key: 0xA1, from: 1) == .attention(0x2A01))
        #expect(owner.out(.clear, key: 0xA1, from: 1) == .good)
        #expect(owner.admit(Self.write, from: 2) == .sense(.notReady, 0x0401))
        unit.readiness = .ready
        owner.server.update(unit)
        #expect(owner.admit(Self.write, from: 2) == .sense(.dataProtect, 0x2700))
        unit.isReadOnly = false
        owner.server.update(unit)
        #expect(owner.attentions(2) == [0x2A01])
        #expect(owner.admit(Self.write, from: 2) == .sense(.dataProtect, 0x2702))
        #expect(owner.admit(Self.read, from: 2) == .good)
        owner.reset(.logicalUnit)
        #expect(owner.attentions(2) == [0x2903])
        #expect(owner.admit(Self.write, from: 2) == .good)
    }

    /// What is counted instead of looked for comes back to nothing.
    @Test func nothingIsEventfulOnceAllAreTold() throws {
        var owner = UnitOwner(nexuses: [1, 2, 3, 4])
        #expect(!owner.server.isEventful)
        owner.server.post(.capacityDataHasChanged)
        owner.server.post(.inquiryDataHasChanged)
        try owner.restart()
        #expect(owner.server.isEventful)
        #expect(owner.attentions(1) == [0x2A09, 0x3F03])
        #expect(owner.admit(Self.read, from: 2) == .attention(0x2A09))
        #expect(owner.send([0x00], from: 2) == .attention(0x3F03))
        owner.lose(3)
        owner.attach(4)
        #expect(owner.server.isEventful && owner.attentions(4) == [0x2907])
        // The frontend says that it has the refusals.
        #expect(owner.admit(Self.read) == .good && !owner.server.isEventful)
        owner.register(1, 2)
        #expect(owner.reserve(5, from: 1) == .good && owner.server.isEventful)
        #expect(owner.admit(Self.write, from: 2) == .good && owner.admit(Self.write, from: 4) == .conflict)
        try owner.restart()
        #expect(owner.admit(Self.write, from: 2) == .good && owner.admit(Self.write, from: 4) == .conflict)
        #expect(owner.out(.register, key: 0xA2, from: 2) == .good && owner.admit(Self.write, from: 2) == .conflict)
        #expect(owner.out(.release, type: 5, key: 0xA1, from: 1) == .good)
        #expect(owner.admit(Self.write, from: 2) == .good && !owner.server.isEventful)
    }

    @Test func theOlderReservationIsJudgedBeforeSanitizing() {
        var owner = UnitOwner { $0.isSanitizeAllowed = true }
        #expect(owner.send([0x16], from: 1) == .good)
        #expect(owner.perform([0x48, 0x82], from: 1) == .sanitize(immediate: true))
        #expect(owner.admit(Self.read, from: 2) == .conflict)
        #expect(owner.admit(Self.read, from: 1) == .sense(.notReady, 0x041B))
        #expect(owner.send([0x00], from: 1) == .sense(.notReady, 0x041B))
    }

    @Test func sanitizingIsJudgedBeforeReadinessAndProtection() {
        var owner = UnitOwner { $0.isSanitizeAllowed = true }
        #expect(owner.perform([0x48, 0x82]) == .sanitize(immediate: true))
        var unit = owner.server.unit
        unit.isReadOnly = true
        unit.readiness = .manualInterventionRequired
        owner.server.update(unit)
        #expect(owner.attentions(1) == [0x2A01])
        #expect(owner.admit(Self.write) == .sense(.notReady, 0x041B))
        owner.server.finishSanitize()
        #expect(owner.admit(Self.write) == .sense(.notReady, 0x0403))
    }

    @Test func eachCommandTakesOneUnitAttention() {
        var owner = UnitOwner()
        owner.server.post(.capacityDataHasChanged)
        owner.server.post(.inquiryDataHasChanged)
        #expect(owner.admit([0x12]) == .good && owner.admit([0xA0]) == .good)
        #expect(owner.admit(Self.read) == .attention(0x2A09))
        #expect(owner.send([0x1A, 0, 0x3F, 0, 255]) == .attention(0x3F03))
        #expect(owner.admit(Self.read) == .good)
    }

    @Test func aCommandsOwnFieldsAreJudgedLast() {
        var owner = UnitOwner()
        owner.server.post(.capacityDataHasChanged)
        #expect(owner.send([0x16, 0x10]) == .attention(0x2A09))
        #expect(owner.send([0x16], from: 2) == .attention(0x2A09))
        #expect(owner.send([0x16], from: 2) == .good)
        #expect(owner.send([0x15, 0x00, 0, 0, 4]) == .conflict)
        #expect(owner.send([0x16, 0x10, 0, 0, 0, 0x04], from: 2) == .illegal(0x2400))
    }

    /// What has passed costs later commands nothing.
    @Test func aUnitAtRestJudgesNothing() throws {
        let disturbances: [(disturb: (inout UnitOwner) -> Void, settle: (inout UnitOwner) -> Void)] = [
            ({ $0.server.post(.capacityDataHasChanged) }, { _ in }), ({ $0.attach(4) }, { _ = $0.attentions(4) }),
            ({ $0.reset(.logicalUnit) }, { _ in }), ({ _ = $0.send([0x16]) }, { _ = $0.send([0x17]) }),
            ({ _ = $0.send([0x16]) }, { $0.lose(1) }),
            ({ _ = $0.send([0x15, 0x10, 0, 0, 16], Self.softwareWriteProtect, from: 2) }, { $0.reset(.logicalUnit) }),
            ({ _ = $0.perform([0x48, 0x82]) }, { $0.server.finishSanitize() }),
            (
                {
                    $0.register(1)
                    _ = $0.reserve(3, from: 1)
                    _ = $0.admit(Self.read, from: 2)
                }, { _ = $0.out(.clear, key: 0xA1, from: 1) }
            ),
            (
                { owner in
                    var unit = owner.server.unit
                    unit.readiness = .becomingReady
                    owner.server.update(unit)
                    _ = owner.admit(Self.read)
                },
                { owner in
                    var unit = owner.server.unit
                    unit.readiness = .ready
                    owner.server.update(unit)
                }
            ),
        ]
        for (disturb, settle) in disturbances {
            var owner = UnitOwner { $0.isSanitizeAllowed = true }
            #expect(!owner.server.isEventful)
            disturb(&owner)
            #expect(owner.server.isEventful)
            try owner.restart()
            #expect(owner.server.isEventful)
            settle(&owner)
            for nexus in UInt64(1)...4 { _ = owner.attentions(nexus) }
            #expect(owner.admit(Self.write, from: 2) == .good)
            #expect(!owner.server.isEventful)
            try owner.restart()
            #expect(!owner.server.isEventful)
        }
    }

    @Test func readsAndWritesAloneBringTheUnitToRest() {
        var owner = UnitOwner(nexuses: [1])
        owner.server.post(.capacityDataHasChanged)
        #expect(owner.admit(Self.read) == .attention(0x2A09))
        // The answer is remembered until the next request says that it arrived.
        #expect(owner.server.isEventful)
        #expect(owner.admit(Self.read) == .good)
        #expect(!owner.server.isEventful)
    }

    @Test func unknownCommandsTakeNoUnitAttention() {
        var owner = UnitOwner()
        owner.server.post(.capacityDataHasChanged)
        #expect(owner.send([0xFF]) == .illegal(0x2000))
        #expect(owner.send([0x9E, 0x1F]) == .illegal(0x2400))
        #expect(owner.send([0x48, 0x02]) == .illegal(0x2000))
        #expect(owner.attentions(1) == [0x2A09])
    }

    @Test func aUnitThatDoesNotServeStillDescribesItself() throws {
        var owner = UnitOwner { $0.readiness = .becomingReady }
        for cdb in [[0x00], [0x25], [0x9E, 0x10], [0x9E, 0x12]] as [[UInt8]] {
            #expect(owner.send(cdb) == .sense(.notReady, 0x0401))
        }
        for cdb in [[0x1A, 0, 0x3F, 0, 255], [0x5E, 0], [0xA3, 0x0A], [0xA3, 0x0C]] as [[UInt8]] {
            #expect(owner.send(cdb) == .good)
        }
        let result = try #require(owner.perform([0x03, 0, 0, 0, 18]).completed)
        #expect(result.dataIn[2] == 0x02 && result.dataIn[12...13] == [0x04, 0x01])
    }

    @Test func copiesForAnotherUnitAreLetInWhereNobodyIsShutOut() {
        var owner = UnitOwner { $0.isSanitizeAllowed = true }
        #expect(owner.server.permitsCopy(writing: false) && owner.server.permitsCopy(writing: true))
        owner.register(1)
        #expect(owner.server.permitsCopy(writing: true))
        for type in PersistentReserveOutTests.types {
            #expect(owner.reserve(type, from: 1) == .good)
            #expect(owner.server.permitsCopy(writing: false) == [1, 5, 7].contains(type))
            #expect(!owner.server.permitsCopy(writing: true))
            #expect(owner.out(.release, type: type, key: 0xA1, from: 1) == .good)
        }
        #expect(owner.out(.clear, key: 0xA1, from: 1) == .good)
        #expect(owner.send([0x16]) == .good)
        #expect(!owner.server.permitsCopy(writing: false))
        #expect(owner.send([0x17]) == .good)
        #expect(owner.send([0x15, 0x10, 0, 0, 16], Self.softwareWriteProtect) == .good)
        #expect(owner.server.permitsCopy(writing: false) && !owner.server.permitsCopy(writing: true))
    }
}
