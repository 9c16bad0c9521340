// SPDX-License-Identifier: Apache-2.0
import SCSI
import Testing

/// What each service action does, and who is told.
@Suite struct PersistentReserveOutTests {
    static let types: [UInt8] = [1, 3, 5, 6, 7, 8]
    private static let singleHolderTypes: [UInt8] = [1, 3, 5, 6]
    private static let allRegistrantsTypes: [UInt8] = [7, 8]

    private func owner(_ type: UInt8? = nil, registered: Int = 3) -> UnitOwner {
        var owner = UnitOwner(nexuses: [1, 2, 3, 4])
        for nexus in UInt64(1)...UInt64(registered) { owner.register(nexus) }
        if let type { #expect(owner.reserve(type, from: 1) == .good) }
        return owner
    }

    // MARK: Registering

    @Test func registeringNeedsTheKeyThatIsThere() {
        var owner = UnitOwner()
        #expect(owner.out(.register, key: 9, newKey: 5, from: 1) == .conflict)
        #expect(owner.out(.register, key: 0, newKey: 5, from: 1) == .good)
        #expect(owner.out(.register, key: 0, newKey: 6, from: 1) == .conflict)
        #expect(owner.out(.register, key: 6, newKey: 7, from: 1) == .conflict)
        #expect(owner.keys == [5] && owner.generation == 1)
        #expect(owner.out(.register, key: 5, newKey: 6, from: 1) == .good)
        #expect(owner.keys == [6] && owner.generation == 2)
        #expect(owner.out(.register, key: 6, newKey: 0, from: 1) == .good)
        #expect(owner.keys.isEmpty && owner.generation == 3)
    }

    @Test func ignoringTheExistingKeyNeedsNone() {
        var owner = UnitOwner()
        #expect(owner.out(.registerAndIgnore, key: 99, newKey: 5, from: 1) == .good)
        #expect(owner.out(.registerAndIgnore, key: 98, newKey: 6, from: 1) == .good)
        #expect(owner.keys == [6] && owner.generation == 2)
        #expect(owner.out(.registerAndIgnore, key: 97, newKey: 0, from: 1) == .good)
        #expect(owner.keys.isEmpty && owner.generation == 3)
    }

    @Test func endingARegistrationThatIsNotThereDoesNothing() {
        var owner = UnitOwner()
        #expect(owner.out(.register, from: 1) == .good)
        #expect(owner.out(.registerAndIgnore, key: 4, from: 1) == .good)
        #expect(owner.keys.isEmpty && owner.generation == 0)
    }

    @Test func severalNexusesMayShareAKey() {
        var owner = UnitOwner()
        for nexus in UInt64(1)...3 { #expect(owner.out(.register, newKey: 7, from: nexus) == .good) }
        #expect(owner.keys == [7, 7, 7])
    }

    @Test func registrationsAreBounded() {
        let limit = PersistentReservations.maximumRegistrantCount
        var owner = UnitOwner(nexuses: [])
        for nexus in 1...UInt64(limit) { #expect(owner.out(.register, newKey: nexus, from: nexus) == .good) }
        let extra = UInt64(limit + 1)
        #expect(owner.out(.register, newKey: 1, from: extra) == .illegal(0x5504))
        #expect(owner.out(.register, key: 1, from: 1) == .good)
        #expect(owner.out(.register, newKey: 1, from: extra) == .good)
        #expect(owner.keys.count == limit)
    }

    /// There is one port.
    @Test func registrationsForAllTargetPortsAreTaken() throws {
        var owner = UnitOwner()
        owner.register(1, flags: 0x04)
        owner.register(2, flags: 0x05)
        owner.register(3)
        func forAll() -> [Bool] { owner.server.state.persistentReservations.registrants.map(\.isForAllTargetPorts) }
        #expect(owner.keys == [0xA1, 0xA2, 0xA3] && forAll() == [true, true, false])
        try owner.restart()
        #expect(forAll() == [true, true, false])
        // The last registration decides.
        #expect(owner.out(.registerAndIgnore, newKey: 0xA1, from: 1) == .good && forAll() == [false, true, false])
        #expect(owner.reserve(5, from: 2) == .good && owner.admit([0x2A], from: 1) == .good)
    }

    // MARK: Unregistering

    @Test(arguments: singleHolderTypes) func theReservationEndsWithItsHoldersRegistration(type: UInt8) {
        var owner = owner(type)
        #expect(owner.out(.register, key: 0xA1, from: 1) == .good)
        #expect(owner.reservedType == nil && owner.keys == [0xA2, 0xA3])
        #expect(owner.attentions(1) == [])
        for nexus in [2, 3] as [UInt64] { #expect(owner.attentions(nexus) == (type >= 5 ? [0x2A04] : [])) }
        #expect(owner.attentions(4) == [])
    }

    @Test(arguments: types) func theReservationStaysWhenAnotherRegistrationEnds(type: UInt8) {
        var owner = owner(type)
        #expect(owner.out(.register, key: 0xA2, from: 2) == .good)
        #expect(owner.reservedType == type)
        for nexus in UInt64(1)...4 { #expect(owner.attentions(nexus) == []) }
    }

    @Test(arguments: allRegistrantsTypes) func theLastRegistrantOfAllHoldsTheReservation(type: UInt8) {
        var owner = owner(type)
        for nexus in [1, 2] as [UInt64] { #expect(owner.out(.register, key: 0xA0 + nexus, from: nexus) == .good) }
        #expect(owner.reservedType == type && owner.holder == nil)
        #expect(owner.send([0x00], from: 3) == .good)
        #expect(owner.out(.registerAndIgnore, from: 3) == .good)
        #expect(owner.reservedType == nil && owner.keys.isEmpty)
    }

    @Test(arguments: allRegistrantsTypes) func anyOfAllRegistrantsMayRelease(type: UInt8) {
        var owner = owner(type)
        #expect(owner.out(.register, key: 0xA1, from: 1) == .good)
        #expect(owner.out(.release, type: type, key: 0xA2, from: 2) == .good)
        #expect(owner.reservedType == nil)
        #expect(owner.attentions(3) == [0x2A04] && owner.attentions(2) == [])
    }

    // MARK: Reserving and releasing

    @Test(arguments: types) func reservingAgainIsGoodOnlyForTheSame(type: UInt8) {
        var owner = owner(type)
        let generation = owner.generation
        #expect(owner.reserve(type, from: 1) == .good)
        #expect(owner.reserve(type, from: 2) == (type >= 7 ? .good : .conflict))
        for other in Self.types where other != type {
            for nexus in [1, 2] as [UInt64] { #expect(owner.reserve(other, from: nexus) == .conflict) }
        }
        #expect(owner.reservedType == type && owner.generation == generation)
    }

    @Test func reservingNeedsARegistrationAndItsKey() {
        var owner = owner()
        #expect(owner.reserve(1, from: 4) == .conflict)
        #expect(owner.out(.reserve, type: 1, key: 0xA2, from: 1) == .conflict)
        #expect(owner.reservedType == nil)
    }

    @Test func onlyTheSixTypesOfWholeUnitsAreReserved() {
        var owner = owner()
        for scopeAndType in UInt8.min...UInt8.max where !Self.types.contains(scopeAndType) {
            #expect(owner.reserve(scopeAndType, from: 1) == .illegal(0x2400))
        }
        #expect(owner.reservedType == nil)
    }

    @Test(arguments: types) func releasingTellsThoseWhoCouldUseTheUnit(type: UInt8) {
        var owner = owner(type)
        let generation = owner.generation
        #expect(owner.out(.release, type: type, key: 0xA1, from: 1) == .good)
        #expect(owner.reservedType == nil && owner.generation == generation && owner.keys.count == 3)
        #expect(owner.attentions(1) == [] && owner.attentions(4) == [])
        for nexus in [2, 3] as [UInt64] { #expect(owner.attentions(nexus) == (type >= 5 ? [0x2A04] : [])) }
    }

    @Test(arguments: types) func releasingAnotherTypeIsRefused(type: UInt8) {
        var owner = owner(type)
        for other in Self.types where other != type {
            #expect(owner.out(.release, type: other, key: 0xA1, from: 1) == .illegal(0x2604))
        }
        #expect(owner.out(.release, type: 0x10 | type, key: 0xA1, from: 1) == .illegal(0x2604))
        #expect(owner.out(.release, type: type, key: 0xA2, from: 1) == .conflict)
        #expect(owner.reservedType == type)
    }

    @Test(arguments: singleHolderTypes) func releasingWhatAnotherHoldsDoesNothing(type: UInt8) {
        var owner = owner(type)
        for other in Self.types { #expect(owner.out(.release, type: other, key: 0xA2, from: 2) == .good) }
        #expect(owner.reservedType == type && owner.holder == 1)
    }

    // MARK: Clearing and preempting

    @Test(arguments: [nil] + types.map(Optional.some)) func clearingEndsEverything(type: UInt8?) {
        var owner = owner(type)
        let generation = owner.generation
        #expect(owner.out(.clear, key: 0xA1, from: 2) == .conflict)
        #expect(owner.out(.clear, key: 0xA2, from: 2) == .good)
        #expect(owner.keys.isEmpty && owner.reservedType == nil && owner.generation == generation + 1)
        for nexus in [1, 3] as [UInt64] { #expect(owner.attentions(nexus) == [0x2A03]) }
        for nexus in [2, 4] as [UInt64] { #expect(owner.attentions(nexus) == []) }
    }

    @Test func preemptingWithoutAReservationEndsRegistrations() {
        var owner = owner()
        #expect(owner.out(.preempt, type: 0xFF, key: 0xA2, newKey: 0xA1, from: 2) == .good)
        #expect(owner.keys == [0xA2, 0xA3] && owner.reservedType == nil && owner.generation == 4)
        #expect(owner.attentions(1) == [0x2A05])
        for nexus in UInt64(2)...4 { #expect(owner.attentions(nexus) == []) }
        #expect(owner.out(.preempt, type: 1, key: 0xA2, newKey: 0xA1, from: 2) == .conflict)
        #expect(owner.out(.preempt, type: 1, key: 0xA2, newKey: 0, from: 2) == .illegal(0x2600))
        #expect(owner.out(.preempt, type: 1, key: 0xA3, newKey: 0xA3, from: 2) == .conflict)
        #expect(owner.generation == 4)
    }

    @Test(arguments: types) func preemptingAnotherKeyLeavesTheReservation(type: UInt8) {
        var owner = owner(type)
        #expect(owner.out(.preempt, type: 3, key: 0xA2, newKey: 0xA3, from: 2) == .good)
        #expect(owner.keys == [0xA1, 0xA2] && owner.reservedType == type)
        #expect(owner.holder == (type < 7 ? 1 : nil))
        #expect(owner.attentions(3) == [0x2A05])
        #expect(owner.attentions(1) == [] && owner.attentions(2) == [])
    }

    @Test(arguments: singleHolderTypes, types) func preemptingTheHolderTakesTheReservationOver(old: UInt8, new: UInt8) {
        var owner = owner(old)
        let generation = owner.generation
        #expect(owner.out(.preempt, type: 0x10 | new, key: 0xA2, newKey: 0xA1, from: 2) == .illegal(0x2400))
        #expect(owner.out(.preempt, type: 0x02, key: 0xA2, newKey: 0xA1, from: 2) == .illegal(0x2400))
        #expect(owner.holder == 1 && owner.generation == generation)
        #expect(owner.out(.preempt, type: new, key: 0xA2, newKey: 0xA1, from: 2) == .good)
        #expect(owner.keys == [0xA2, 0xA3] && owner.reservedType == new && owner.generation == generation + 1)
        #expect(owner.holder == (new < 7 ? 2 : nil))
        #expect(owner.attentions(1) == [0x2A05])
        #expect(owner.attentions(2) == [] && owner.attentions(4) == [])
        #expect(owner.attentions(3) == (old >= 5 && old != new ? [0x2A04] : []))
    }

    @Test(arguments: allRegistrantsTypes, types) func keyZeroPreemptsAllRegistrants(old: UInt8, new: UInt8) {
        var owner = owner(old)
        #expect(owner.out(.preempt, type: new, key: 0xA2, newKey: 0, from: 2) == .good)
        #expect(owner.keys == [0xA2] && owner.reservedType == new && owner.holder == (new < 7 ? 2 : nil))
        for nexus in [1, 3] as [UInt64] { #expect(owner.attentions(nexus) == [0x2A05]) }
        #expect(owner.attentions(2) == [])
    }

    @Test(arguments: singleHolderTypes) func keyZeroPreemptsNoSingleHolder(type: UInt8) {
        var owner = owner(type)
        #expect(owner.out(.preempt, type: type, key: 0xA2, newKey: 0, from: 2) == .illegal(0x2600))
        #expect(owner.holder == 1 && owner.keys.count == 3)
    }

    /// Cluster agents come back through a new nexus with the key of the old one.
    @Test func aNexusTakesTheReservationOverFromItsFormerSelf() {
        var owner = UnitOwner()
        for nexus in UInt64(1)...2 { #expect(owner.out(.register, newKey: 5, from: nexus) == .good) }
        #expect(owner.out(.reserve, type: 3, key: 5, from: 1) == .good)
        #expect(owner.out(.preempt, type: 3, key: 5, newKey: 5, from: 2) == .good)
        #expect(owner.keys == [5] && owner.holder == 2)
        #expect(owner.attentions(1) == [0x2A05])
    }

    @Test func theHolderMayPreemptItselfToChangeTheType() {
        var owner = owner(5)
        #expect(owner.out(.preempt, type: 3, key: 0xA1, newKey: 0xA1, from: 1) == .good)
        #expect(owner.reservedType == 3 && owner.holder == 1 && owner.keys.count == 3)
        for nexus in [2, 3] as [UInt64] { #expect(owner.attentions(nexus) == [0x2A04]) }
        #expect(owner.attentions(1) == [])
    }

    @Test func aNexusMayPreemptItsOwnRegistrationAway() {
        var owner = owner()
        #expect(owner.out(.preempt, key: 0xA2, newKey: 0xA2, from: 2) == .good)
        #expect(owner.keys == [0xA1, 0xA3] && owner.attentions(2) == [])
        var last = self.owner(7, registered: 1)
        #expect(last.out(.preempt, key: 0xA1, newKey: 0xA1, from: 1) == .good)
        #expect(last.keys.isEmpty && last.reservedType == nil)
    }

    @Test func onlyPreemptAndAbortEndsTasks() {
        for (action, isAborting) in [(UnitOwner.Out.preempt, false), (.preemptAndAbort, true)] {
            var owner = UnitOwner()
            for nexus in UInt64(1)...3 { _ = owner.out(.register, newKey: nexus == 3 ? 9 : 5, from: nexus) }
            let list = UnitOwner.list(key: 9, newKey: 5)
            let nexuses = [1, 2].map { NexusID(rawValue: $0) }
            let good = CommandResult(status: .good, transferByteCount: 24)
            let performed = owner.perform(UnitOwner.cdb(action), list, from: 3)
            #expect(performed == (isAborting ? .abortTasks(of: nexuses, good) : .complete(good)))
            for nexus in [1, 2] as [UInt64] { #expect(owner.attentions(nexus) == [0x2A05]) }
        }
    }

    // MARK: Parameter list

    @Test(arguments: 0...6 as ClosedRange<UInt8>) func theParameterListHasExactly24Bytes(action: UInt8) {
        for length in 0...64 where length != 24 {
            var owner = owner()
            let cdb: [UInt8] = [0x5F, action, 1, 0, 0, 0, 0, 0, UInt8(length), 0]
            let list = UnitOwner.list(key: 0xA1, newKey: 0xA2) + [UInt8](repeating: 0, count: 40)
            #expect(owner.send(cdb, Array(list.prefix(length)), from: 1) == .illegal(0x1A00))
        }
        for length in 0..<24 {
            var owner = owner()
            let list = UnitOwner.list(key: 0xA1, newKey: 0xA2).prefix(length)
            #expect(owner.send([0x5F, action, 1, 0, 0, 0, 0, 0, 24, 0], Array(list), from: 1) == .illegal(0x1A00))
            #expect(owner.keys.count == 3 && owner.reservedType == nil)
        }
    }

    @Test func otherServiceActionsAreUnknown() {
        var owner = owner()
        for action in UInt8(8)...31 {
            let list = UnitOwner.list(key: 0xA1)
            #expect(owner.send([0x5F, action, 1, 0, 0, 0, 0, 0, 24, 0], list, from: 1) == .illegal(0x2400))
        }
    }
}
