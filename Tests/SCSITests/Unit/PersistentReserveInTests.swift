// SPDX-License-Identifier: Apache-2.0
import SCSI
import Testing

/// Parameter data, written out by hand from SPC-4 §6.15.
@Suite struct PersistentReserveInTests {
    private func read(_ action: UInt8, _ owner: inout UnitOwner, allocation: UInt16 = 4096) -> [UInt8]? {
        let cdb = [0x5E, action, 0, 0, 0, 0, 0] + allocation.bytes + [0]
        guard case .complete(let result) = owner.perform(cdb), result.status == .good else { return nil }
        return result.dataIn
    }

    private static let key1: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0xA1]
    private static let key2: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0xA2]

    @Test func anUntouchedUnitHasNothingToTell() {
        var owner = UnitOwner()
        for action in [0, 1, 3] as [UInt8] { #expect(read(action, &owner) == [UInt8](repeating: 0, count: 8)) }
    }

    @Test func keysAreListed() {
        var owner = UnitOwner()
        owner.register(1, 2)
        #expect(read(0, &owner) == [0, 0, 0, 2, 0, 0, 0, 16] + Self.key1 + Self.key2)
        #expect(read(0, &owner, allocation: 8) == [0, 0, 0, 2, 0, 0, 0, 16])
        #expect(read(1, &owner) == [0, 0, 0, 2, 0, 0, 0, 0])
    }

    @Test func theReservationNamesItsHoldersKey() {
        for type in [1, 3, 5, 6, 7, 8] as [UInt8] {
            var owner = UnitOwner()
            owner.register(1, 2)
            #expect(owner.reserve(type, from: 2) == .good)
            let key = type >= 7 ? [UInt8](repeating: 0, count: 8) : Self.key2
            #expect(read(1, &owner) == [0, 0, 0, 2, 0, 0, 0, 16] + key + [0, 0, 0, 0, 0, type, 0, 0])
        }
    }

    @Test func capabilitiesFollowTheLastRegistration() {
        var owner = UnitOwner()
        #expect(read(2, &owner) == [0, 8, 0x0D, 0x90, 0xEA, 0x01, 0, 0])
        owner.register(1, flags: 0x01)
        #expect(read(2, &owner) == [0, 8, 0x0D, 0x91, 0xEA, 0x01, 0, 0])
        owner.register(2)
        #expect(read(2, &owner) == [0, 8, 0x0D, 0x90, 0xEA, 0x01, 0, 0])
    }

    @Test func fullStatusNamesEachInitiatorPort() throws {
        var owner = UnitOwner()
        owner.register(1, 2)
        #expect(owner.reserve(5, from: 2) == .good)
        // 44 bytes of name are filled to 48 with NULs.
        let name1 = Array("iqn.2026-11.org.example:host1,i,0x00023d000001".utf8) + [0, 0]
        let name2 = Array("iqn.2026-11.org.example:host2,i,0x00023d000002".utf8) + [0, 0]
        #expect(name1.count == 48)
        let first: [UInt8] = Self.key1 + [0, 0, 0, 0, 0x00, 0x00, 0, 0, 0, 0, 0, 1, 0, 0, 0, 52, 0x45, 0, 0, 48]
        let second: [UInt8] = Self.key2 + [0, 0, 0, 0, 0x01, 0x05, 0, 0, 0, 0, 0, 1, 0, 0, 0, 52, 0x45, 0, 0, 48]
        #expect(read(3, &owner) == [0, 0, 0, 2, 0, 0, 0, 152] + first + name1 + second + name2)
    }

    @Test func fullStatusTellsOfAllTargetPorts() throws {
        var owner = UnitOwner()
        owner.register(1, 2, flags: 0x04)
        #expect(owner.reserve(5, from: 2) == .good)
        let data = try #require(read(3, &owner))
        #expect(data[8 + 12] == 0x02 && data[8 + 76 + 12] == 0x03)
    }

    @Test func allRegistrantsAreHoldersOfTheirTypes() throws {
        var owner = UnitOwner()
        owner.register(1, 2)
        #expect(owner.reserve(8, from: 1) == .good)
        let data = try #require(read(3, &owner))
        for start in [8, 8 + 76] { #expect(data[start + 12] == 0x01 && data[start + 13] == 8) }
    }

    @Test func truncationChangesNoLength() throws {
        for action in UInt8(0)...3 {
            var owner = UnitOwner()
            owner.register(1, 2)
            _ = owner.reserve(1, from: 1)
            let whole = try #require(read(action, &owner))
            for allocation in 0...UInt16(whole.count + 4) {
                #expect(read(action, &owner, allocation: allocation) == Array(whole.prefix(Int(allocation))))
            }
        }
    }

    @Test func otherServiceActionsAreUnknown() {
        var owner = UnitOwner()
        for action in UInt8(4)...31 { #expect(owner.send([0x5E, action, 0, 0, 0, 0, 0, 0, 255]) == .illegal(0x2400)) }
    }
}
