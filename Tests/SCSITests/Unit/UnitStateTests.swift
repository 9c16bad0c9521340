// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import SCSI
import Testing
import Wire

/// The record of a unit's state, and what a power-on leaves of it.
@Suite struct UnitStateTests {
    private func encoded(_ state: UnitState) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return String(decoding: try encoder.encode(state), as: UTF8.self)
    }

    private func decoded(_ record: String) throws -> UnitState {
        try JSONDecoder().decode(UnitState.self, from: Data(record.utf8))
    }

    /// A bit of everything.
    private func owner() -> UnitOwner {
        var owner = UnitOwner(nexuses: [1, 2]) { $0.isSanitizeAllowed = true }
        owner.attach(3)
        owner.lose(3)
        owner.register(1, 2, flags: 0x01)
        _ = owner.reserve(5, from: 2)
        _ = owner.send([0x1E, 0, 0, 0, 1], from: 1)
        _ = owner.send([0x83, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16], [9] + [UInt8](repeating: 0, count: 15), from: 1)
        let protect: [UInt8] = [0, 0, 0, 0, 0x0A, 0x0A, 0, 0x10, 0x08, 0x40, 0, 0, 0xFF, 0xFF, 0, 0]
        _ = owner.send([0x15, 0x10, 0, 0, 16], protect, from: 2)
        return owner
    }

    private static let record =
        #"{"answered":[{"answers":[{"kind":"completed","number":14}],"#
        + #""events":[{"nexus":"0000000000000001","number":1},{"nexus":"0000000000000002","number":4},"#
        + #"{"nexus":"0000000000000003","number":8}],"frontend":"run-000000000000000f1","#
        + #""lowestOpen":14}],"lost":["0000000000000003"],"nexuses":[{"access":"","attentions":[10753],"#
        + #""copies":[{"bytes":0,"list":9,"segments":0}],"frontend":"run-000000000000000f1","id":"0000000000000001","#
        + #""port":"iqn.2026-11.org.example:host1,i,0x00023d000001","prevents":true},"#
        + #"{"access":"","frontend":"run-000000000000000f1","id":"0000000000000002","#
        + #""port":"iqn.2026-11.org.example:host2,i,0x00023d000002"}],"#
        + #""persistent":{"aptpl":true,"generation":2,"holder":"0000000000000002","registrants":["#
        + #"{"key":"00000000000000a1","nexus":"0000000000000001","#
        + #""port":"iqn.2026-11.org.example:host1,i,0x00023d000001"},"#
        + #"{"key":"00000000000000a2","nexus":"0000000000000002","#
        + #""port":"iqn.2026-11.org.example:host2,i,0x00023d000002"}],"type":5},"#
        + #""powerOn":"boot-1",\#(told),"version":1,"writeProtected":true}"#

    private static let told =
        #""told":{"inquiry":"ffa499e9fa508801","readOnly":false,"sectors":2097152,"writeCache":true}"#

    @Test func theRecordKeepsItsForm() throws {
        let state = owner().server.state
        let record = try encoded(state)
        #expect(record == Self.record)
        #expect(try decoded(Self.record) == state)
    }

    @Test func aUnitAtRestHasAShortRecord() throws {
        let record = try encoded(UnitOwner(nexuses: []).server.state)
        #expect(record == #"{"powerOn":"boot-1",\#(Self.told),"version":1}"#)
        #expect(try decoded(record) == UnitOwner(nexuses: []).server.state)
    }

    @Test func everyKindOfAnswerSurvives() throws {
        var owner = UnitOwner { $0.isSanitizeAllowed = true }
        func origin() -> CommandOrigin {
            let number = owner.origin(1).number
            return CommandOrigin(
                nexus: NexusID(rawValue: 1), frontend: UnitOwner.frontend, number: number, lowestOpenNumber: 1)
        }
        var memory = CommandMemory()
        let answers: [CommandMemory.Answer] = [
            .refused(.reservationConflict), .refused(CommandResult(.unitAttention(.modeParametersChanged))),
            .refused(.busy), .completed(CommandResult(.invalidFieldInParameterList(byte: 20))),
            .completed(CommandResult(dataIn: [0x70, 0, 6], allocationLength: 3)), .sanitizes, .flushes(.good),
            .abortsTasks(of: [NexusID(rawValue: 7), NexusID(rawValue: .max)], .good),
        ]
        for answer in answers { memory.remember(answer, of: origin()) }
        let copy = try JSONDecoder().decode(CommandMemory.self, from: JSONEncoder().encode(memory))
        #expect(copy == memory && copy.refusalCount == 3)
    }

    /// An older version has saved it.
    @Test func whatWasNotSavedIsNotTold() throws {
        let state = try decoded(
            #"{"nexuses":[{"frontend":"run-000000000000000f1","id":"0000000000000001"}],"#
                + #""powerOn":"boot-1","version":1}"#)
        #expect(state.coldResetCount == 0)
        var owner = UnitOwner(nexuses: [])
        owner.server = DeviceServer(unit: TestUnit.make { $0.sectorCount += 8 }, state: state, powerOn: "boot-1")
        #expect(owner.server.needsSaving && owner.attentions(1) == [])
        try owner.restart()
        #expect(!owner.server.needsSaving && owner.attentions(1) == [])
    }

    @Test func otherVersionsAreRefused() throws {
        for version in ["0", "2", "-1", "\"1\"", "null"] {
            let record = Self.record.replacing("\"version\":1", with: "\"version\":\(version)")
            #expect(throws: DecodingError.self) { try decoded(record) }
        }
        #expect(throws: DecodingError.self) { try decoded(#"{"powerOn":"boot-1"}"#) }
        #expect(throws: DecodingError.self) { try decoded(#"{"version":1}"#) }
    }

    @Test func keysThatAreNotKnownAreIgnored() throws {
        let record = Self.record.replacing("\"version\":1", with: "\"later\":[1],\"version\":1")
        #expect(try decoded(record) == owner().server.state)
    }

    @Test func contradictionsAreRefused() {
        let changes = [
            (#""holder":"0000000000000002""#, #""holder":"0000000000000005""#), (#""type":5"#, #""type":7"#),
            (#""type":5"#, #""type":2"#), (#""holder":"0000000000000002","#, ""),
            (#""nexus":"0000000000000002""#, #""nexus":"0000000000000001""#),
            (#""key":"00000000000000a2""#, #""key":"0000000000000000""#),
            (#""key":"00000000000000a2""#, #""key":"a2""#),
            (#""id":"0000000000000001""#, #""id":1"#), (#""frontend":"run-000000000000000f1""#, #""frontend":"f1""#),
            (#""kind":"completed""#, #""kind":"else""#), (#""kind":"completed""#, #""kind":"completed","status":2"#),
        ]
        for (old, new) in changes {
            let record = Self.record.replacing(old, with: new)
            #expect(record != Self.record)
            #expect(throws: DecodingError.self, "\(new)") { try decoded(record) }
        }
    }

    // MARK: Restart and power-on

    @Test func aRestartIsNotNoticed() throws {
        var owner = owner()
        let state = owner.server.state
        try owner.restart()
        #expect(owner.server.state == state && !owner.server.needsSaving)
        #expect(owner.attentions(1) == [0x2A01] && owner.attentions(2) == [])
        #expect(owner.admit([0x2A], from: 2) == .sense(.dataProtect, 0x2702))
        owner.attach(3)
        #expect(owner.attentions(3) == [0x2907])
        #expect(owner.admit([0x2A], from: 3) == .conflict)
    }

    /// The volume was changed, and the owner ended before it had saved that initiators are to be told.
    @Test func whatChangedMeanwhileIsTold() throws {
        let changes: [((inout LogicalUnit) -> Void, [UInt16])] = [
            ({ $0.sectorCount += 8 }, [0x2A09]), ({ $0.isReadOnly = true }, [0x2A01]),
            ({ $0.isWriteCacheEnabled = false }, [0x2A01]), ({ $0.revision = "2" }, [0x3F03]),
            ({ $0.targetName += "x" }, [0x3F03]), ({ $0.readiness = .becomingReady }, []),
            (
                {
                    $0.revision = "2"
                    $0.isReadOnly = true
                    $0.sectorCount -= 8
                }, [0x2A09, 0x2A01, 0x3F03]
            ),
        ]
        for (change, codes) in changes {
            var owner = UnitOwner(nexuses: [1, 2])
            try owner.restart(change)
            #expect(owner.server.needsSaving == !codes.isEmpty)
            #expect(owner.attentions(1) == codes)
            try owner.restart()
            #expect(!owner.server.needsSaving && owner.attentions(1) == [] && owner.attentions(2) == codes)
            try owner.restart(powerOn: "boot-2") { $0.sectorCount += 8 }
            #expect(owner.attentions(1) == [0x2901])
            try owner.restart(powerOn: "boot-2")
            #expect(owner.attentions(1) == [] && owner.attentions(2) == [0x2901])
        }
    }

    /// The owner was away when the write cache was switched on, or is the first one to keep who has read of it.
    @Test func nobodyKnowsOfAWriteCacheThatCameMeanwhile() throws {
        let owner = UnitOwner(nexuses: [1]) { $0.isWriteCacheEnabled = false }
        let record = String(decoding: try JSONEncoder().encode(owner.server.state), as: UTF8.self)
        let older = record.replacing("\"writeCacheReaders\":[],", with: "")
            .replacing(",\"writeCacheReaders\":[]", with: "")
        #expect(older != record)
        var unit = owner.server.unit
        for text in [record, older] {
            unit.isWriteCacheEnabled = false
            let state = try JSONDecoder().decode(UnitState.self, from: Data(text.utf8))
            var server = DeviceServer(unit: unit, state: state, powerOn: UnitOwner.powerOn)
            #expect(server.isWriteThrough(for: NexusID(rawValue: 1)))
            unit.isWriteCacheEnabled = true
            server.update(unit)
            #expect(server.isWriteThrough(for: NexusID(rawValue: 1)))
            server = DeviceServer(unit: unit, state: state, powerOn: UnitOwner.powerOn)
            #expect(server.isWriteThrough(for: NexusID(rawValue: 1)))
        }
    }

    @Test func coldResetsAreCounted() throws {
        var owner = UnitOwner()
        #expect(owner.server.state.coldResetCount == 0)
        let origin = owner.origin(1)
        for _ in 0..<2 { owner.server.reset(.targetCold, from: origin) }
        owner.reset(.logicalUnit)
        owner.reset(.targetWarm)
        #expect(owner.server.state.coldResetCount == 1)
        owner.reset(.targetCold)
        try owner.restart()
        #expect(owner.server.state.coldResetCount == 2)
        try owner.restart(powerOn: "boot-2")
        #expect(owner.server.state.coldResetCount == 2)
    }

    @Test func aPowerOnIsToldToAllAndEndsWhatIsNotKept() throws {
        for keeps in [false, true] {
            var owner = UnitOwner(nexuses: [1, 2, 3])
            owner.register(1, 2, flags: keeps ? 0x01 : 0x00)
            _ = owner.reserve(3, from: 1)
            _ = owner.send([0x1E, 0, 0, 0, 1], from: 1)
            owner.server.post(.capacityDataHasChanged)
            owner.lose(3)
            try owner.restart(powerOn: "boot-2")
            #expect(owner.server.needsSaving && owner.server.state.powerOnID == "boot-2")
            #expect(owner.keys == (keeps ? [0xA1, 0xA2] : []) && owner.holder == (keeps ? 1 : nil))
            #expect(owner.generation == 0)
            #expect(owner.server.state.nexuses.attached.values.allSatisfy { !$0.preventsRemoval })
            owner.attach(3)
            for nexus in UInt64(1)...3 { #expect(owner.attentions(nexus) == [0x2901]) }
            #expect(owner.admit([0x2A], from: 2) == (keeps ? .conflict : .good))
        }
    }

    @Test func theLastRegistrationDecidesWhatIsKept() throws {
        var owner = UnitOwner()
        owner.register(1, flags: 0x01)
        owner.register(2, flags: 0x00)
        try owner.restart(powerOn: "boot-2")
        #expect(owner.keys.isEmpty)
        var other = UnitOwner()
        other.register(1)
        other.register(2, flags: 0x01)
        try other.restart(powerOn: "boot-2")
        #expect(other.keys == [0xA1, 0xA2])
        // Other service actions do not look at the bit.
        _ = other.attentions(1)
        #expect(other.out(.reserve, type: 1, key: 0xA1, flags: 0x00, from: 1) == .good)
        try other.restart(powerOn: "boot-3")
        #expect(other.keys == [0xA1, 0xA2] && other.reservedType == 1)
    }

    @Test func aPowerOnEndsTheOlderReservationAndWriteProtection() throws {
        var owner = UnitOwner()
        let protect: [UInt8] = [0, 0, 0, 0, 0x0A, 0x0A, 0, 0x10, 0x08, 0x40, 0, 0, 0xFF, 0xFF, 0, 0]
        #expect(owner.send([0x15, 0x10, 0, 0, 16], protect) == .good)
        #expect(owner.send([0x16]) == .good)
        try owner.restart()
        #expect(owner.server.state.reservingNexus == NexusID(rawValue: 1))
        #expect(owner.server.state.isSoftwareWriteProtected)
        try owner.restart(powerOn: "boot-2")
        #expect(owner.attentions(1) == [0x2901] && owner.attentions(2) == [0x2901])
        #expect(owner.server.state.reservingNexus == nil && owner.admit([0x2A], from: 2) == .good)
    }

    /// Frontends may run on other machines than the one that was powered on.
    @Test func answersOutliveAPowerOn() throws {
        var owner = UnitOwner()
        let origin = owner.origin(1)
        let cdb = CDB(UnitOwner.cdb(.register))
        let list = UnitOwner.list(key: 0, newKey: 5)
        let first = owner.server.perform(cdb, dataOut: list, from: origin)
        try owner.restart(powerOn: "boot-2")
        #expect(owner.server.perform(cdb, dataOut: list, from: origin) == first)
        #expect(owner.keys.isEmpty)
    }
}
