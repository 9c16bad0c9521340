// SPDX-License-Identifier: Apache-2.0
import SCSI
import Testing
import Wire

/// A request may come again, also after a restart of the owner: its command is carried out once.
@Suite struct RepeatedCommandTests {
    private static func register(_ newKey: UInt64, key: UInt64 = 0) -> ([UInt8], [UInt8]) {
        (UnitOwner.cdb(.register), UnitOwner.list(key: key, newKey: newKey))
    }

    private func perform(
        _ owner: inout UnitOwner, _ cdb: [UInt8], _ dataOut: [UInt8] = [], from origin: CommandOrigin
    ) -> DeviceServerAction {
        let capacity = owner.server.unit.sectorCount
        return owner.server.perform(CDB(cdb), dataOut: dataOut, from: origin) {
            CopyTarget(volume: $0, sectorCount: capacity)
        }
    }

    @Test(arguments: [false, true]) func aRegistrationIsAnsweredAsBefore(restarts: Bool) throws {
        var owner = UnitOwner()
        let (cdb, list) = Self.register(5)
        let origin = owner.origin(1)
        let first = perform(&owner, cdb, list, from: origin)
        #expect(first == .complete(CommandResult(status: .good, transferByteCount: 24)))
        if restarts { try owner.restart() }
        // As another command it would conflict.
        #expect(perform(&owner, cdb, list, from: origin) == first)
        #expect(owner.generation == 1)
        #expect(owner.send(cdb, list) == .conflict)
    }

    @Test(arguments: [false, true]) func everyCommandThatChangesSomethingDoesSoOnce(restarts: Bool) throws {
        let protect: [UInt8] = [0, 0, 0, 0, 0x0A, 0x0A, 0, 0x10, 0x08, 0x40, 0, 0, 0xFF, 0xFF, 0, 0]
        let commands: [([UInt8], [UInt8])] = [
            ([0x16], []), ([0x15, 0x10, 0, 0, 16], protect), ([0x1E, 0, 0, 0, 1], []), ([0x48, 0x82], []),
            Self.register(5), ([0x83, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16], [5] + [UInt8](repeating: 0, count: 15)),
        ]
        for (cdb, list) in commands {
            var owner = UnitOwner { $0.isSanitizeAllowed = true }
            let fresh = owner.server.state
            let origin = owner.origin(1)
            _ = owner.server.takeNeedsSaving()
            _ = perform(&owner, cdb, list, from: origin)
            #expect(owner.server.takeNeedsSaving() == true, "\(cdb)")
            #expect(owner.server.state != fresh)
            // Everything is undone by others before the request comes again.
            owner.reset(.logicalUnit)
            owner.server.finishSanitize()
            for nexus in [1, 2] as [UInt64] { #expect(owner.attentions(nexus) == [0x2903]) }
            _ = owner.out(.registerAndIgnore, newKey: 9, from: 2)
            _ = owner.out(.clear, key: 9, from: 2)
            _ = owner.attentions(1)
            if restarts { try owner.restart() }
            _ = owner.server.takeNeedsSaving()
            let undone = owner.server.state
            let again = perform(&owner, cdb, list, from: origin)
            // Later requests of this frontend said that it has this answer, so that it can only be a stray copy.
            #expect(again == .complete(CommandResult(status: .busy, transferByteCount: list.count)), "\(cdb)")
            #expect(owner.server.state == undone && !owner.server.needsSaving)
        }
    }

    /// Like that, but the frontend has not said so.
    @Test(arguments: [false, true]) func anOpenRequestIsAnsweredFromMemory(restarts: Bool) throws {
        var owner = UnitOwner()
        let origin = CommandOrigin(
            nexus: NexusID(rawValue: 1), frontend: UnitOwner.frontend, number: 50, lowestOpenNumber: 50)
        #expect(perform(&owner, [0x16], from: origin) == .complete(.good))
        let release = CommandOrigin(nexus: origin.nexus, frontend: origin.frontend, number: 51, lowestOpenNumber: 50)
        #expect(perform(&owner, [0x17], from: release) == .complete(.good))
        if restarts { try owner.restart() }
        #expect(perform(&owner, [0x16], from: origin) == .complete(.good))
        #expect(owner.server.state.reservingNexus == nil)
        // Another frontend counts for itself.
        let other = CommandOrigin(
            nexus: NexusID(rawValue: 9), frontend: ServiceInstance(rawValue: 2), number: 50, lowestOpenNumber: 50)
        #expect(perform(&owner, [0x16], from: other) == .complete(.good))
        #expect(owner.server.state.reservingNexus == other.nexus)
    }

    @Test func aUnitAttentionIsToldAgainToTheSameRequest() {
        var owner = UnitOwner()
        owner.server.post(.capacityDataHasChanged)
        let reading = owner.origin(1)
        let sensing = owner.origin(2)
        let attention = CommandResult(.unitAttention(.capacityDataHasChanged))
        for _ in 0..<2 { #expect(owner.server.admit(.passesWriteExclusive, from: reading) == attention) }
        var data: [[UInt8]?] = []
        for _ in 0..<2 { data.append(perform(&owner, [0x03, 0, 0, 0, 18], from: sensing).completed?.dataIn) }
        #expect(data[0]?[12] == 0x2A && data[0] == data[1])
        #expect(owner.admit([0x28], from: 1) == .good && owner.attentions(2) == [])
    }

    @Test func aRefusedRequestStaysRefused() {
        var owner = UnitOwner()
        #expect(owner.send([0x16], from: 1) == .good)
        let origin = owner.origin(2)
        #expect(owner.server.admit(.writes, from: origin) == .reservationConflict)
        let release = CommandOrigin(
            nexus: NexusID(rawValue: 1), frontend: UnitOwner.frontend, number: origin.number + 1,
            lowestOpenNumber: origin.number)
        #expect(perform(&owner, [0x17], from: release) == .complete(.good))
        // It was told so; applying it now would surprise.
        #expect(owner.server.admit(.writes, from: origin) == .reservationConflict)
        let next = CommandOrigin(
            nexus: NexusID(rawValue: 2), frontend: UnitOwner.frontend, number: origin.number + 2,
            lowestOpenNumber: origin.number + 2)
        #expect(owner.server.admit(.writes, from: next) == nil)
        #expect(owner.server.state.answered.refusalCount == 0)
    }

    /// What has been done since is not undone by it.
    @Test(arguments: [false, true]) func anEventIsTakenOnce(restarts: Bool) throws {
        let events: [(inout UnitOwner, CommandOrigin) -> Void] = [
            { $0.server.attach(initiatorPort: UnitOwner.port(1), access: "", from: $1) }, { $0.server.lose(from: $1) },
            { $0.server.reset(.logicalUnit, from: $1) },
        ]
        for event in events {
            var owner = UnitOwner()
            func origin(_ number: UInt64) -> CommandOrigin {
                CommandOrigin(
                    nexus: NexusID(rawValue: 1), frontend: UnitOwner.frontend, number: number, lowestOpenNumber: 100)
            }
            event(&owner, origin(100))
            owner.server.attach(initiatorPort: UnitOwner.port(1), access: "", from: origin(101))
            _ = perform(&owner, [0x03, 0, 0, 0, 18], from: origin(102))
            #expect(perform(&owner, [0x16], from: origin(103)) == .complete(.good))
            if restarts { try owner.restart() }
            _ = owner.server.takeNeedsSaving()
            let state = owner.server.state
            event(&owner, origin(100))
            #expect(owner.server.state == state && !owner.server.needsSaving)
        }
    }

    /// Barriers and losses of nexuses do not hold back the number below which a frontend has all answers.
    @Test(arguments: [false, true]) func anEventMayComeAfterLaterCommandsWereAnswered(restarts: Bool) throws {
        var owner = UnitOwner(nexuses: [2])
        let begin = owner.origin(1)
        #expect(owner.send([0x00], from: 2) == .good)
        #expect(owner.server.state.answered.hasTaken(eventFrom: begin) == false)
        let isTaken = owner.server.attach(initiatorPort: UnitOwner.port(1), access: "", from: begin)
        #expect(isTaken && owner.attentions(1) == [0x2901])
        #expect(owner.send([0x16]) == .good)
        let end = owner.origin(1)
        #expect(owner.send([0x00]) == .good && owner.send([0x16]) == .good)
        if restarts { try owner.restart() }
        // Its answer was lost, and was no command's.
        owner.server.attach(initiatorPort: UnitOwner.port(1), access: "", from: begin)
        #expect(owner.server.state.reservingNexus == begin.nexus && owner.attentions(1) == [])
        owner.server.lose(from: end)
        #expect(owner.server.state.reservingNexus == nil && owner.server.state.nexuses.lost == [begin.nexus])
        if restarts { try owner.restart() }
        owner.attach(1)
        #expect(owner.attentions(1) == [0x2907])
        for _ in 0..<2 { owner.server.lose(from: end) }
        owner.server.attach(initiatorPort: UnitOwner.port(1), access: "", from: begin)
        #expect(owner.server.state.nexuses.attached[begin.nexus] != nil && owner.attentions(1) == [])
    }

    @Test func theEndOfASessionThatIsNotThereForbidsItsBegin() {
        var owner = UnitOwner(nexuses: [])
        let begin = owner.origin(1)
        owner.lose(1)
        let isTaken = owner.server.attach(initiatorPort: UnitOwner.port(1), access: "", from: begin)
        #expect(!isTaken)
    }

    @Test func eventsAreBounded() {
        var memory = CommandMemory()
        func origin(_ nexus: UInt64, _ number: UInt64) -> CommandOrigin {
            CommandOrigin(
                nexus: NexusID(rawValue: nexus), frontend: UnitOwner.frontend, number: number, lowestOpenNumber: .max)
        }
        let limit = UInt64(CommandMemory.maximumEventCount)
        for nexus in 0...limit {
            memory.remember(eventFrom: origin(nexus, 2 * nexus))
            memory.remember(eventFrom: origin(nexus, 2 * nexus + 1))
        }
        #expect(!memory.hasTaken(eventFrom: origin(0, 0)))
        for nexus in 1...limit {
            for number in [2 * nexus, 2 * nexus + 1] { #expect(memory.hasTaken(eventFrom: origin(nexus, number))) }
            #expect(!memory.hasTaken(eventFrom: origin(nexus, 2 * nexus + 2)))
        }
        memory.forget(UnitOwner.frontend)
        #expect(memory == CommandMemory())
    }

    @Test func tasksAreAbortedAgain() {
        var owner = UnitOwner()
        owner.register(1, 2)
        let origin = owner.origin(2)
        let list = UnitOwner.list(key: 0xA2, newKey: 0xA1)
        let good = CommandResult(status: .good, transferByteCount: 24)
        for _ in 0..<2 {
            #expect(
                perform(&owner, UnitOwner.cdb(.preemptAndAbort), list, from: origin)
                    == .abortTasks(of: [NexusID(rawValue: 1)], good))
        }
        #expect(owner.attentions(1) == [0x2A05] && owner.generation == 3)
    }

    @Test(arguments: [false, true]) func aSanitizeIsWaitedForAgain(restarts: Bool) throws {
        var owner = UnitOwner { $0.isSanitizeAllowed = true }
        let origin = owner.origin(1)
        #expect(perform(&owner, [0x48, 0x02], from: origin) == .sanitize(immediate: false))
        if restarts { try owner.restart() }
        #expect(perform(&owner, [0x48, 0x02], from: origin) == .sanitize(immediate: false))
        owner.server.finishSanitize()
        if restarts { try owner.restart() }
        #expect(perform(&owner, [0x48, 0x02], from: origin) == .complete(.good))
        #expect(!owner.server.state.isSanitizing)
    }

    @Test func aCopyIsCarriedOutOnceUnlessItsOwnerEnds() throws {
        var owner = UnitOwner()
        let naa: [UInt8] = [0x60, 0x25, 0x34, 0xC0, 0, 0, 0, 0] + owner.server.unit.volume.rawValue.bytes
        let target: [UInt8] = [0xE4, 0, 0, 0, 1, 3, 0, 16] + naa + [0, 0, 0, 0, 0, 0, 2, 0]
        let segment: [UInt8] = [2, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 8] + UInt64(0).bytes + UInt64(8).bytes
        let list: [UInt8] = [5, 0, 0, 32, 0, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0, 0] + target + segment
        let cdb: [UInt8] = [0x83, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, UInt8(list.count)]
        let origin = owner.origin(1)
        let operation = try #require(perform(&owner, cdb, list, from: origin).copyOperation)
        #expect(perform(&owner, cdb, list, from: origin) == .inProgress)
        try owner.restart()
        #expect(perform(&owner, cdb, list, from: origin).copyOperation == operation)
        _ = owner.server.takeNeedsSaving()
        let result = owner.server.finishCopy(operation, completedSegmentCount: 1, isGood: true)
        #expect(owner.server.takeNeedsSaving() == true)
        #expect(perform(&owner, cdb, list, from: origin) == .complete(result))
        try owner.restart()
        #expect(perform(&owner, cdb, list, from: origin) == .complete(result))
    }

    @Test func whatChangesNothingNeedsNoSaving() {
        var owner = UnitOwner()
        #expect(owner.server.takeNeedsSaving() == true)
        #expect(owner.server.takeNeedsSaving() == false)
        for cdb in [[0x00], [0x25], [0x5E, 0], [0x1A, 0, 0x3F, 0, 255], [0x17], [0x1B]] as [[UInt8]] {
            #expect(owner.send(cdb) == .good && owner.admit([0x2A]) == .good)
        }
        _ = owner.out(.reserve, type: 1, key: 7, from: 1)
        #expect(!owner.server.needsSaving)
        for event in [
            { $0.attach(1) }, { $0.lose(1) }, { $0.reset(.logicalUnit) },
            { $0.server.post(.inquiryDataHasChanged) },
        ] as [(inout UnitOwner) -> Void] {
            event(&owner)
            #expect(owner.server.takeNeedsSaving() == true)
        }
    }

    @Test func answersAreForgottenAsTheFrontendSays() {
        var memory = CommandMemory()
        func origin(_ number: UInt64, lowest: UInt64, frontend: UInt64 = 1) -> CommandOrigin {
            CommandOrigin(
                nexus: NexusID(rawValue: 1), frontend: ServiceInstance(rawValue: frontend), number: number,
                lowestOpenNumber: lowest)
        }
        for number in UInt64(1)...5 { memory.remember(.completed(.good), of: origin(number, lowest: 1)) }
        #expect(memory.verdict(on: origin(3, lowest: 1)) == .answered(.completed(.good)))
        #expect(memory.verdict(on: origin(6, lowest: 4)) == .new)
        #expect(memory.verdict(on: origin(3, lowest: 1)) == .stale)
        #expect(memory.verdict(on: origin(4, lowest: 4)) == .answered(.completed(.good)))
        // A frontend that says of an open request that it is not is not believed.
        #expect(memory.verdict(on: origin(4, lowest: 100)) == .answered(.completed(.good)))
        memory.forget(ServiceInstance(rawValue: 1))
        #expect(memory == CommandMemory())
    }

    @Test func answersAndFrontendsAreBounded() {
        var memory = CommandMemory()
        func origin(_ frontend: UInt64, _ number: UInt64) -> CommandOrigin {
            CommandOrigin(
                nexus: NexusID(rawValue: 1), frontend: ServiceInstance(rawValue: frontend), number: number,
                lowestOpenNumber: 0)
        }
        let answers = UInt64(CommandMemory.maximumAnswerCount)
        for number in 1...(answers + 1) { memory.remember(.refused(.busy), of: origin(1, number)) }
        #expect(memory.refusalCount == Int(answers))
        #expect(memory.verdict(on: origin(1, 1)) == .new)
        #expect(memory.verdict(on: origin(1, 2)) == .answered(.refused(.busy)))
        let frontends = UInt64(CommandMemory.maximumFrontendCount)
        for frontend in 2...frontends { memory.remember(.completed(.good), of: origin(frontend, 7)) }
        memory.remember(.completed(.good), of: origin(1, 9))
        memory.remember(.completed(.good), of: origin(frontends + 1, 7))
        #expect(memory.verdict(on: origin(2, 7)) == .new)
        #expect(memory.verdict(on: origin(3, 7)) == .answered(.completed(.good)))
        #expect(memory.verdict(on: origin(1, 9)) == .answered(.completed(.good)))
    }
}
