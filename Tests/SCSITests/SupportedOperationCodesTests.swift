// SPDX-License-Identifier: Apache-2.0
import SCSI
import TestSupport
import Testing

@Suite struct SupportedOperationCodesTests {
    private static let unit = TestUnit.make()
    private static let sanitizable = TestUnit.make { $0.isSanitizeAllowed = true }

    private func ask(
        _ options: UInt8, _ opcode: UInt8 = 0, _ serviceAction: UInt16 = 0, of unit: LogicalUnit = Self.unit
    ) -> CommandResult {
        unit.report([0xA3, 0x0C, options, opcode] + serviceAction.bytes + [0, 0, 0xFF, 0xFF, 0, 0])
    }

    private static let notSupported: [UInt8] = [0, 1, 0, 0]

    @Test func allCommandsHaveTheirGoldenBytes() throws {
        #expect(try ask(0).dataIn == Golden.bytes("scsi/v1/supported-operation-codes"))
        let timeouts = ask(0x80, of: Self.sanitizable).dataIn
        #expect(try timeouts == Golden.bytes("scsi/v1/supported-operation-codes-timeouts-sanitize"))
    }

    @Test func theRequestedCommandIsIgnoredWhenAllAreAskedFor() {
        #expect(ask(0, 0xFF, 0xFFFF) == ask(0))
    }

    private func description(of definition: CommandDefinition, timeouts: Bool) -> [UInt8] {
        var data: [UInt8] = [0, timeouts ? 0x83 : 0x03, 0, UInt8(definition.byteCount)]
        data += definition.usage.bytes.prefix(definition.byteCount)
        guard timeouts else { return data }
        return data + [0, 0x0A, 0, 0, 0, 0, 0, 0] + definition.recommendedTimeoutSeconds.bytes
    }

    @Test func oneCommandIsDescribedByEveryOptionThatFitsIt() {
        for definition in CommandTable.definitions {
            let action = UInt16(definition.serviceAction ?? 0)
            for (flag, timeouts) in [(0x00, false), (0x80, true)] as [(UInt8, Bool)] {
                let expected = description(of: definition, timeouts: timeouts)
                let unit = Self.sanitizable
                #expect(ask(flag | 3, definition.opcode, action, of: unit).dataIn == expected)
                // What option 1 is not for is what option 2 is for.
                let plain = ask(flag | 1, definition.opcode, action, of: unit)
                let withAction = ask(flag | 2, definition.opcode, action, of: unit)
                let (answered, refused) =
                    definition.serviceAction == nil ? (plain, withAction) : (withAction, plain)
                #expect(answered.dataIn == expected, "\(definition.command)")
                #expect(refused.isInvalidField(byte: 2) && refused.sense?.fieldPointer?.bit == 2)
            }
        }
    }

    @Test func goldenDescriptionsOfSomeCommands() {
        #expect(ask(1, 0x12).dataIn == [0, 3, 0, 6, 0x12, 0x01, 0xFF, 0xFF, 0xFF, 0x04])
        #expect(
            ask(1, 0x89).dataIn == [0, 3, 0, 16, 0x89, 0xF8] + [UInt8](repeating: 0xFF, count: 8)
                + [0, 0, 0, 0xFF, 0, 0x04])
        #expect(
            ask(0x83, 0x9E, 0x10).dataIn == [0, 0x83, 0, 16, 0x9E, 0x10] + [UInt8](repeating: 0, count: 8)
                + [0xFF, 0xFF, 0xFF, 0xFF, 0, 0x04, 0, 0x0A, 0, 0, 0, 0, 0, 0, 0, 0, 0, 30])
    }

    @Test func unknownCommandsAreNotSupported() {
        let known = Set(CommandTable.definitions.map(\.opcode))
        for opcode in UInt8.min...UInt8.max where !known.contains(opcode) {
            for options in [1, 2, 3, 0x81, 0x82, 0x83] as [UInt8] {
                #expect(ask(options, opcode).dataIn == Self.notSupported)
            }
        }
    }

    @Test func unknownServiceActionsAreNotSupported() {
        for action in [0x11, 0x1F, 0x20, 0x30, 0x0110, 0x1000, 0xFFFF] as [UInt16] {
            #expect(ask(2, 0x9E, action).dataIn == Self.notSupported)
            #expect(ask(3, 0x9E, action).dataIn == Self.notSupported)
        }
        // Without service actions the field must be 0.
        for action in [1, 0x10, 0x0100, 0xFFFF] as [UInt16] {
            #expect(ask(3, 0x28, action).dataIn == Self.notSupported)
            #expect(ask(1, 0x28, action).dataIn == ask(1, 0x28).dataIn)
        }
    }

    @Test func sanitizeIsNotThereUnlessAllowed() {
        for options in [1, 2, 3] as [UInt8] { #expect(ask(options, 0x48, 2).dataIn == Self.notSupported) }
        #expect(ask(2, 0x48, 2, of: Self.sanitizable).dataIn.count == 14)
        #expect(ask(1, 0x48, 2, of: Self.sanitizable).isInvalidField(byte: 2))
    }

    @Test func otherOptionsAreRefused() {
        for options in UInt8(4)...7 {
            for opcode in [0x28, 0x9E, 0xFF] as [UInt8] { #expect(ask(options, opcode).isInvalidField(byte: 2)) }
        }
    }
}
