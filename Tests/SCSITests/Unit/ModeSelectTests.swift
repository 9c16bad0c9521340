// SPDX-License-Identifier: Apache-2.0
import SCSI
import Testing
import Wire

@Suite struct ModeSelectTests {
    private static let header6: [UInt8] = [0, 0, 0, 0]
    private static let header10: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0]

    private static func control(_ flags: UInt8) -> [UInt8] {
        [0x0A, 0x0A, 0, 0x10, flags, 0x40, 0, 0, 0xFF, 0xFF, 0, 0]
    }

    private func select6(_ list: [UInt8], _ owner: inout UnitOwner, length: Int? = nil) -> CommandResult? {
        let cdb: [UInt8] = [0x15, 0x10, 0, 0, UInt8(length ?? list.count), 0]
        guard case .complete(let result) = owner.perform(cdb, list) else { return nil }
        return result
    }

    private func select10(_ list: [UInt8], _ owner: inout UnitOwner) -> CommandResult? {
        let cdb: [UInt8] = [0x55, 0x10, 0, 0, 0, 0, 0] + UInt16(list.count).bytes + [0]
        guard case .complete(let result) = owner.perform(cdb, list) else { return nil }
        return result
    }

    private func isInvalid(_ result: CommandResult?, byte: UInt16) -> Bool {
        result?.sense?.additionalCode == 0x2600 && result?.sense?.fieldPointer?.byte == byte
            && result?.sense?.fieldPointer?.isInCDB == false
    }

    private func sense6(_ owner: inout UnitOwner, page: UInt8 = 0x3F, subpage: UInt8 = 0) -> [UInt8] {
        guard case .complete(let result) = owner.perform([0x1A, 0, page, subpage, 255, 0]) else { return [] }
        return result.dataIn
    }

    @Test func softwareWriteProtectionIsSetShownAndTakenBack() throws {
        var owner = UnitOwner()
        for list in [Self.header6 + Self.control(0x08), [0x77, 0, 0, 0] + [0x8A] + Self.control(0x08).dropFirst()] {
            #expect(select6(list, &owner)?.status == .good)
            #expect(owner.server.state.isSoftwareWriteProtected)
            let data = sense6(&owner, page: 0x0A)
            #expect(data[2] == 0x90 && data[12 + 4] == 0x08)
            #expect(owner.admit([0x28]) == .good)
            for opcode in [0x2A, 0x42, 0x93, 0x89, 0x8B, 0x9C, 0x2E] as [UInt8] {
                #expect(owner.admit([opcode]) == .sense(.dataProtect, 0x2702))
            }
            #expect(select10(Self.header10 + Self.control(0x00), &owner)?.status == .good)
            #expect(!owner.server.state.isSoftwareWriteProtected)
            #expect(sense6(&owner, page: 0x0A)[2] == 0x10)
            #expect(owner.admit([0x2A]) == .good)
        }
    }

    @Test func resetsTakeSoftwareWriteProtectionBack() {
        for kind in [DeviceServer.ResetKind.logicalUnit, .targetWarm, .targetCold] {
            var owner = UnitOwner()
            #expect(select6(Self.header6 + Self.control(0x08), &owner)?.status == .good)
            owner.reset(kind)
            #expect(owner.attentions(1).count == 1 && owner.admit([0x2A]) == .good)
        }
    }

    @Test func whatModeSenseGaveMayBeSentBack() throws {
        var owner = UnitOwner()
        #expect(select6(sense6(&owner), &owner)?.status == .good)
        #expect(select6(sense6(&owner, subpage: 0xFF), &owner)?.status == .good)
        let long = try #require(owner.perform([0x5A, 0x10, 0x3F, 0xFF, 0, 0, 0, 1, 0, 0]).completed)
        #expect(long.dataIn.count > 60)
        #expect(select10(long.dataIn, &owner)?.status == .good)
        #expect(owner.server.state.isSoftwareWriteProtected == false)
    }

    /// Every bit that is changed alone is refused where it is, but the one that may be.
    @Test func nothingElseCanBeChanged() {
        var owner = UnitOwner()
        let list = Self.header6 + sense6(&owner, page: 0x3F, subpage: 0xFF).dropFirst(12)
        var isContent = [Bool](repeating: false, count: list.count)
        var offset = 4
        while offset < list.count {
            let hasSubpage = list[offset] & 0x40 != 0
            let start = offset + (hasSubpage ? 4 : 2)
            offset = start + (hasSubpage ? Int(list[offset + 3]) : Int(list[offset + 1]))
            for index in start..<offset { isContent[index] = true }
        }
        #expect(isContent.count { $0 } > 60)
        var changeableCount = 0
        for index in list.indices where isContent[index] {
            for bit in 0..<8 {
                var changed = list
                changed[index] ^= 1 << UInt8(bit)
                let result = select6(changed, &owner)
                if result?.status == .good {
                    changeableCount += 1
                    #expect(owner.server.state.isSoftwareWriteProtected)
                    #expect(select6(list, &owner)?.status == .good)
                } else {
                    #expect(isInvalid(result, byte: UInt16(index)), "byte \(index), bit \(bit)")
                }
            }
        }
        #expect(changeableCount == 1)
    }

    @Test func aRefusedListChangesNothing() {
        var owner = UnitOwner()
        let caching: [UInt8] = [0x08, 0x12, 0x00] + [UInt8](repeating: 0, count: 17)
        #expect(isInvalid(select6(Self.header6 + Self.control(0x08) + caching, &owner), byte: 4 + 12 + 2))
        #expect(!owner.server.state.isSoftwareWriteProtected)
    }

    @Test(arguments: LogicalBlockSize.allCases)
    func blockDescriptorsMustDescribeTheUnit(blockSize: LogicalBlockSize) {
        var owner = UnitOwner(blockSize)
        let size = blockSize.rawValue.bytes
        let count = UInt32(owner.server.unit.blockCount).bytes
        for descriptor in [count + size, [0, 0, 0, 0] + size] {
            #expect(select6([0, 0, 0, 8] + descriptor + Self.control(0), &owner)?.status == .good)
        }
        #expect(isInvalid(select6([0, 0, 0, 8, 0, 0, 0, 1] + size, &owner), byte: 4))
        #expect(isInvalid(select6([0, 0, 0, 8] + count + [0, 0, 0x04, 0], &owner), byte: 8))
        #expect(isInvalid(select6([0, 0, 0, 16] + count + size + count + size, &owner), byte: 3))
        let long = owner.server.unit.blockCount.bytes + [0, 0, 0, 0] + size
        #expect(select10([0, 0, 0, 0, 1, 0, 0, 16] + long, &owner)?.status == .good)
        #expect(isInvalid(select10([0, 0, 0, 0, 0, 0, 0, 16] + long, &owner), byte: 6))
    }

    @Test func pagesThatAreNotThereAreRefused() {
        var owner = UnitOwner()
        for code in UInt8(0)...0x7F where ![0x02, 0x08, 0x0A, 0x1C].contains(code) {
            let list = Self.header6 + [code, 0x0A] + [UInt8](repeating: 0, count: 14)
            #expect(isInvalid(select6(list, &owner), byte: 4), "\(code)")
        }
        #expect(isInvalid(select6(Self.header6 + [0x4A, 1, 0, 0], &owner), byte: 4))
        for length in UInt8.min...UInt8.max where length != 0x0A {
            let list = Self.header6 + [0x0A, length] + Self.control(0).dropFirst(2)
            #expect(isInvalid(select6(list, &owner), byte: 5))
        }
    }

    @Test func listsThatAreCutShortAreRefused() {
        var owner = UnitOwner()
        let list = [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 2, 0] + Self.control(0x08)
        for length in 1..<list.count {
            let result = select6(Array(list.prefix(length)), &owner)
            // Behind the block descriptor the list may end.
            if length == 12 {
                #expect(result?.status == .good)
            } else {
                #expect(result?.sense?.additionalCode == 0x1A00, "\(length)")
            }
        }
        for received in 0..<list.count {
            let result = select6(Array(list.prefix(received)), &owner, length: list.count)
            #expect(result?.sense?.additionalCode == 0x1A00)
        }
        #expect(!owner.server.state.isSoftwareWriteProtected)
        #expect(select6([], &owner)?.status == .good)
        let descriptorBeyondTheList = [0, 0, 0, 8, 0, 0, 0, 0] as [UInt8]
        #expect(select6(descriptorBeyondTheList, &owner)?.sense?.additionalCode == 0x1A00)
    }

    /// Of more data than the CDB says, only that much is looked at.
    @Test func theListEndsWhereTheCDBSays() {
        var owner = UnitOwner()
        let list = Self.header6 + Self.control(0x08)
        for length in 5..<list.count {
            #expect(select6(list, &owner, length: length)?.sense?.additionalCode == 0x1A00)
        }
        #expect(select6(list, &owner, length: 4)?.status == .good)
        #expect(!owner.server.state.isSoftwareWriteProtected)
    }

    @Test func pagesHaveTheStandardsFormatAndAreNotSaved() throws {
        var owner = UnitOwner()
        let list = Self.header6 + Self.control(0x08)
        for (flags, bit) in [(0x00, 4), (0x01, 4), (0x11, 0)] as [(UInt8, UInt8)] {
            let result = try #require(owner.perform([0x15, flags, 0, 0, 16], list).completed)
            #expect(result.sense?.additionalCode == 0x2400)
            #expect(result.sense?.fieldPointer == Sense.FieldPointer(isInCDB: true, byte: 1, bit: bit))
        }
        #expect(!owner.server.state.isSoftwareWriteProtected)
    }
}
