// SPDX-License-Identifier: Apache-2.0
import SCSI
import Testing

@Suite struct CommandTableTests {
    @Test func everyCommandIsListedOnceInOrder() {
        let definitions = CommandTable.definitions
        #expect(Set(definitions.map(\.command)) == Set(OperationCode.allCases))
        #expect(definitions.count == OperationCode.allCases.count)
        let order = definitions.map { UInt16($0.opcode) << 8 | UInt16($0.serviceAction ?? 0) }
        #expect(order == order.sorted())
    }

    @Test func lengthsFollowTheOpcodesGroup() {
        for definition in CommandTable.definitions {
            let expected = [0: 6, 1: 10, 2: 10, 4: 16, 5: 12][Int(definition.opcode >> 5)]
            #expect(definition.byteCount == expected)
            // Nothing beyond the CDB's end, and its last byte is the control byte.
            #expect(definition.usage.rawValue << UInt128(8 * definition.byteCount) == 0)
            #expect(definition.usage.rawValue >> UInt128(8 * (16 - definition.byteCount)) & 0xFF == 0x04)
        }
    }

    @Test func cacheBitsAreAnnouncedWhereTheyAreHonoured() {
        for definition in CommandTable.definitions {
            let flags = UInt8(truncatingIfNeeded: definition.usage.rawValue >> 112)
            switch definition.opcode {
            case 0x28, 0xA8, 0x88, 0x2A, 0xAA, 0x8A, 0x89: #expect(flags & 0x18 == 0x18)
            default: break
            }
            if let serviceAction = definition.serviceAction { #expect(flags & 0x1F == serviceAction) }
        }
    }

    @Test func whatIsNotListedIsRefused() {
        let server = TestUnit.server()
        let known = Set(CommandTable.definitions.map(\.opcode))
        for opcode in UInt8.min...UInt8.max {
            let isUnknown = server.begin(CDB(opcode: opcode)).fails(.illegalRequest, 0x2000)
            #expect(isUnknown == !known.contains(opcode), "opcode \(opcode)")
        }
    }

    @Test func anUnknownServiceActionIsNotAnUnknownOpcode() {
        let server = TestUnit.server()
        for action in UInt8(0)..<32 where action != 0x10 && action != 0x12 {
            let disposition = server.begin([0x9E, action])
            #expect(disposition.isInvalidField(byte: 1))
            #expect(disposition.sense?.fieldPointer?.bit == 4)
        }
        #expect(server.begin([0x9E, 0x10]).isGood)
    }
}
