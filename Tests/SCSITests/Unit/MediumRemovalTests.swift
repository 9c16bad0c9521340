// SPDX-License-Identifier: Apache-2.0
import SCSI
import TestSupport
import Testing
import Wire

/// A removable medium: PREVENT ALLOW MEDIUM REMOVAL, START STOP UNIT, and what an ejected medium leaves.
@Suite struct MediumRemovalTests {
    private static let eject: [UInt8] = [0x1B, 0, 0, 0, 2]
    private static let load: [UInt8] = [0x1B, 0, 0, 0, 3]
    private static let prevent: [UInt8] = [0x1E, 0, 0, 0, 1]
    private static let allow: [UInt8] = [0x1E, 0, 0, 0, 0]
    private static let noMedium = Answer.sense(.notReady, 0x3A00)
    private static let testUnitReady: [UInt8] = [0x00]
    private static let write: [UInt8] = [0x2A]

    private func owner() -> UnitOwner { UnitOwner(isRemovable: true) }

    @Test func onlyARemovableMediumSaysSo() throws {
        let removable = CommandDecoder(unit: TestUnit.make(isRemovable: true)).begin([0x12, 0, 0, 0, 96, 0]).dataIn
        var fixed = try #require(TestUnit.decoder().begin([0x12, 0, 0, 0, 96, 0]).dataIn)
        #expect(fixed[1] == 0x00)
        fixed[1] = 0x80
        #expect(removable == fixed)
    }

    @Test func everythingIsFlushedBeforeTheMediumIsAway() {
        var owner = owner()
        #expect(owner.perform(Self.eject) == .flush(.good))
        #expect(owner.admit(Self.write) == Self.noMedium)
        #expect(owner.server.needsSaving)
        // Once more, and at once.
        #expect(owner.perform([0x1B, 1, 0, 0, 2], from: 2) == .flush(.good))
        #expect(owner.perform(Self.load) == .complete(.good))
        #expect(owner.admit(Self.write) == .good)
    }

    /// The tests of initiators eject and then try all that reads or writes the medium, or describes it.
    @Test func nothingReachesAMediumThatIsAway() {
        var owner = owner()
        _ = owner.send(Self.eject)
        for definition in CommandTable.definitions where !definition.traits.contains(.sanitizes) {
            var cdb = definition.usage.bytes.map { _ in UInt8(0) }
            cdb[0] = definition.opcode
            cdb[1] = definition.serviceAction ?? 0
            let needsMedium = definition.traits.contains(.needsReadyUnit)
            #expect((owner.admit(cdb) == Self.noMedium) == needsMedium, "\(definition.command)")
        }
        for cdb in [[0x00], [0x25], [0x9E, 0x10], [0x9E, 0x12], [0x83, 0]] as [[UInt8]] {
            #expect(owner.send(cdb, from: 2) == Self.noMedium)
        }
        for opcode in [
            0x08, 0x28, 0xA8, 0x88, 0x0A, 0x2A, 0xAA, 0x8A, 0x2E, 0xAE, 0x8E, 0x2F, 0xAF, 0x8F, 0x34, 0x90, 0x35, 0x91,
            0x41, 0x93, 0x42, 0x89, 0x8B, 0x9C,
        ] as [UInt8] {
            #expect(owner.admit([opcode], from: 2) == Self.noMedium)
        }
        let modeSense: [UInt8] = [0x1A, 0, 0x3F, 0, 255]
        #expect(owner.send(modeSense) == .good && owner.send(Self.allow) == .good)
        #expect(owner.server.permitsCopy(writing: false) == false)
    }

    @Test func requestSenseTellsThatTheMediumIsAway() {
        var owner = owner()
        _ = owner.send(Self.eject)
        guard case .complete(let result) = owner.perform([0x03, 0, 0, 0, 18, 0]) else {
            Issue.record("no answer")
            return
        }
        #expect(result.status == .good && result.dataIn[2] == 0x02 && result.dataIn[12...13] == [0x3A, 0x00])
    }

    @Test func noMediumRanksBehindReservationsAndBeforeWriteProtection() {
        var owner = UnitOwner(isRemovable: true) { $0.isReadOnly = true }
        _ = owner.send(Self.eject)
        #expect(owner.admit(Self.write) == Self.noMedium)
        #expect(owner.send([0x16], from: 2) == .good)
        #expect(owner.admit(Self.write) == .conflict)
        #expect(owner.send(Self.eject) == .conflict && owner.send(Self.load) == .conflict)
    }

    @Test func anyPreventKeepsTheMediumWhereItIs() {
        for holder in UInt64(1)...3 {
            for lock in [1, 2, 3] as [UInt8] {
                var owner = owner()
                #expect(owner.send([0x1E, 0, 0, 0, lock], from: holder) == .good)
                #expect(owner.send(Self.eject) == .illegal(0x5302))
                // Initiators' tests want that of a load, too.
                #expect(owner.send(Self.load) == .illegal(0x5302))
                #expect(owner.admit(Self.write) == .good)
                #expect(owner.send([0x1B, 0, 0, 0, 0]) == .good)
                #expect(owner.send(Self.allow, from: holder) == .good)
                #expect(owner.send(Self.eject) == .good && owner.admit(Self.write) == Self.noMedium)
            }
        }
    }

    @Test func aPreventEndsWithItsNexusAndWithResets() {
        for end in [
            { $0.lose(2) }, { $0.reset(.logicalUnit) }, { $0.reset(.targetWarm) }, { $0.reset(.targetCold) },
            { $0.attach(2) },
        ] as [(inout UnitOwner) -> Void] {
            var owner = owner()
            _ = owner.send(Self.prevent, from: 2)
            #expect(owner.send(Self.eject) == .illegal(0x5302))
            end(&owner)
            _ = owner.attentions(1)
            #expect(owner.send(Self.eject) == .good)
        }
    }

    @Test func theOthersLearnOfAMediumThatWasLoaded() {
        var owner = owner()
        _ = owner.send(Self.eject)
        #expect((1...3).map { owner.attentions($0) } == [[], [], []])
        #expect(owner.send(Self.load, from: 2) == .good)
        #expect(owner.admit(Self.testUnitReady, from: 2) == .good)
        #expect(owner.admit(Self.testUnitReady, from: 1) == .attention(0x2800))
        #expect((1...3).map { owner.attentions($0) } == [[], [], [0x2800]])
        // It was there.
        #expect(owner.send(Self.load, from: 2) == .good)
        #expect((1...3).map { owner.attentions($0) } == [[], [], []])
    }

    @Test func powerConditionsAndStopsEjectNothing() {
        var owner = owner()
        for condition in UInt8(1)...15 {
            for low in [0, 1, 2, 3] as [UInt8] {
                #expect(owner.perform([0x1B, 0, 0, 0, condition << 4 | low]) == .complete(.good))
            }
        }
        #expect(owner.perform([0x1B, 0, 0, 0, 0]) == .flush(.good))
        #expect(owner.perform([0x1B, 0, 0, 0, 1]) == .complete(.good))
        #expect(owner.admit(Self.write) == .good)
    }

    /// Neither a restart nor a power-on loads a medium, and no reset does.
    @Test func anEjectedMediumStaysAway() throws {
        for powerOn in [UnitOwner.powerOn, "boot-2"] {
            var owner = owner()
            _ = owner.send(Self.eject)
            for kind in [DeviceServer.ResetKind.logicalUnit, .targetWarm, .targetCold] { owner.reset(kind) }
            try owner.restart(powerOn: powerOn)
            #expect(owner.server.isEventful && owner.server.state.isEjected)
            _ = owner.attentions(1)
            #expect(owner.admit(Self.write) == Self.noMedium)
            #expect(owner.send(Self.load) == .good && owner.admit(Self.write) == .good)
        }
    }

    /// Its medium cannot have been ejected, whatever a state says.
    @Test func aFixedMediumIsAlwaysThere() {
        var removable = owner()
        _ = removable.send(Self.eject)
        let unit = TestUnit.make()
        var server = DeviceServer(unit: unit, state: removable.server.state, powerOn: UnitOwner.powerOn)
        let change = CommandResult(.unitAttention(.inquiryDataHasChanged))
        #expect(server.admit([.needsReadyUnit, .writes], from: removable.origin(1)) == change)
        #expect(server.admit([.needsReadyUnit, .writes], from: removable.origin(1)) == nil)
        var fixed = UnitOwner()
        #expect(fixed.send(Self.eject) == .illegal(0x2400) && fixed.send(Self.load) == .illegal(0x2400))
    }

    /// An eject that comes again, when another nexus has loaded the medium since, ejects nothing; it is answered once
    /// all is durable, as it was.
    @Test func aRepeatedEjectIsTheSameCommand() throws {
        var owner = owner()
        let origin = owner.origin(1)
        func again(_ owner: inout UnitOwner) -> DeviceServerAction {
            owner.server.perform(CDB(Self.eject), dataOut: [], from: origin)
        }
        #expect(again(&owner) == .flush(.good))
        #expect(
            owner.server.perform(CDB(Self.load), dataOut: [], from: owner.openOrigin(2, since: origin))
                == .complete(.good))
        try owner.restart()
        #expect(again(&owner) == .flush(.good))
        #expect(!owner.server.state.isEjected)
    }
}
