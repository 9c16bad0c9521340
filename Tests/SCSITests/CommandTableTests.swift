// SPDX-License-Identifier: Apache-2.0
import SCSI
import Testing

@Suite struct CommandTableTests {
    private func opcodes(with trait: CommandDefinition.Traits) -> Set<UInt16> {
        Set(CommandTable.definitions.filter { $0.traits.contains(trait) }.map { key($0) })
    }

    private func key(_ definition: CommandDefinition) -> UInt16 {
        UInt16(definition.opcode) << 8 | UInt16(definition.serviceAction ?? 0)
    }

    /// Without service actions.
    private func keys(_ opcodes: [UInt16]) -> Set<UInt16> { Set(opcodes.map { $0 << 8 }) }

    @Test func everyCommandIsListedOnceInOrder() {
        let definitions = CommandTable.definitions
        #expect(Set(definitions.map(\.command)) == Set(OperationCode.allCases))
        #expect(definitions.count == OperationCode.allCases.count)
        let order = definitions.map { key($0) }
        #expect(order == order.sorted() && Set(order).count == order.count)
    }

    @Test func everyDefinitionIsFound() throws {
        for definition in CommandTable.definitions {
            for extraBits in [0x00, 0xE0] as [UInt8] {
                let cdb = CDB([definition.opcode, (definition.serviceAction ?? 0) | extraBits])
                #expect(try CommandTable.definition(of: cdb, isSanitizeAllowed: true) == definition)
            }
        }
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

    @Test func usageOfFlagsIsWhatInitiatorsLookFor() {
        let flags: [(UInt8, [UInt8])] = [
            (0xF8, [0x28, 0xA8, 0x88, 0x2A, 0xAA, 0x8A, 0x89, 0x8B, 0x9C, 0x41]),
            (0xF6, [0x2E, 0xAE, 0x8E, 0x2F, 0xAF, 0x8F]), (0xF9, [0x93]), (0x02, [0x34, 0x35, 0x90, 0x91]),
            (0x1F, [0x08, 0x0A, 0xB7]), (0x01, [0x03, 0x12, 0x1B, 0x42, 0x4D]), (0x11, [0x15, 0x55]),
            (0x08, [0x1A]), (0x18, [0x5A]), (0x00, [0x00, 0x16, 0x17, 0x1E, 0x25, 0x37, 0x56, 0x57, 0xA0]),
        ]
        let expected = Dictionary(uniqueKeysWithValues: flags.flatMap { mask, opcodes in opcodes.map { ($0, mask) } })
        for definition in CommandTable.definitions {
            let mask = definition.usage.bytes[1]
            if let serviceAction = definition.serviceAction {
                #expect(mask == (definition.opcode == 0x48 ? 0xA0 | serviceAction : serviceAction))
            } else {
                #expect(mask == expected[definition.opcode], "\(definition.command)")
            }
        }
    }

    /// No bit is announced where the standards have none: the usage is 0 in reserved bytes.
    @Test func reservedBytesAreNotUsed() {
        let reserved: [UInt8: [Int]] = [
            0x00: [2, 3, 4], 0x03: [2, 3], 0x15: [2, 3], 0x16: [2, 3, 4], 0x1B: [2], 0x1E: [2, 3],
            0x25: Array(2...8), 0x28: [6], 0x2A: [6], 0x2E: [6], 0x2F: [6], 0x34: [6], 0x35: [6],
            0x37: [3, 4, 5, 6], 0x41: [6], 0x42: [2, 3, 4, 5, 6], 0x48: [2, 3, 4, 5, 6], 0x4D: [4],
            0x55: [2, 3, 4, 5, 6], 0x56: Array(2...8), 0x57: Array(2...8), 0x5A: [4, 5, 6],
            0x5E: [2, 3, 4, 5, 6], 0x5F: [3, 4], 0x83: Array(2...9) + [14], 0x84: Array(3...9) + [14],
            0x88: [14], 0x89: [10, 11, 12, 14], 0x8A: [14], 0x8B: [14], 0x8E: [14], 0x8F: [14], 0x90: [14],
            0x91: [14], 0x93: [14], 0x9C: [14], 0x9E: [14], 0xA0: [3, 4, 5, 10], 0xA3: [10], 0xA8: [10],
            0xAA: [10], 0xAE: [10], 0xAF: [10], 0xB7: [10],
        ]
        let withoutReserved: Set<UInt8> = [0x08, 0x0A, 0x12, 0x17, 0x1A]
        for definition in CommandTable.definitions {
            let bytes = definition.usage.bytes
            guard let unused = reserved[definition.opcode] else {
                #expect(withoutReserved.contains(definition.opcode), "\(definition.command)")
                continue
            }
            for byte in unused { #expect(bytes[byte] == 0, "\(definition.command), byte \(byte)") }
        }
    }

    @Test func whatFindsUnitsPassesEverything() {
        let always = keys([0x12, 0xA0, 0x03])
        #expect(opcodes(with: .passesUnitAttention) == always)
        #expect(opcodes(with: .passesSanitize) == always.union([0x5E00, 0x5E01, 0x5E02, 0x5E03]))
        #expect(opcodes(with: .passesReserve) == always.union(keys([0x17, 0x57, 0x25])).union([0x9E10]))
    }

    @Test func persistentReservationsLetThroughWhatTheStandardSays() {
        let always = keys([0x12, 0xA0, 0x03, 0x00, 0x25, 0x4D]).union([0x9E10, 0xA30A, 0xA30C, 0xA30D])
        let selfJudged: [UInt16] = Array(0x5E00...0x5E03) + Array(0x5F00...0x5F07)
        #expect(opcodes(with: .passesPersistentReservation) == always.union(selfJudged))
        let reads = keys([
            0x08, 0x28, 0xA8, 0x88, 0x2F, 0xAF, 0x8F, 0x34, 0x90, 0x37, 0xB7, 0x1A, 0x5A,
        ]).union([0x9E12, 0x8400, 0x8403])
        #expect(opcodes(with: .passesWriteExclusive) == reads)
    }

    @Test func everythingThatChangesSectorsWrites() {
        let writes = keys([
            0x0A, 0x2A, 0xAA, 0x8A, 0x2E, 0xAE, 0x8E, 0x9C, 0x41, 0x93, 0x42, 0x8B, 0x89,
        ]).union([0x4802, 0x4803, 0x481F])
        #expect(opcodes(with: .writes) == writes)
        #expect(opcodes(with: .sanitizes) == [0x4802, 0x4803, 0x481F])
        let others = keys([0x00, 0x25, 0x08, 0x28, 0xA8, 0x88, 0x2F, 0xAF, 0x8F, 0x34, 0x90, 0x35, 0x91])
        #expect(opcodes(with: .needsReadyUnit) == writes.union(others).union([0x9E10, 0x9E12, 0x8300]))
    }

    @Test func timeoutsAreRecommendedByTheWorkACommandDoes() {
        for definition in CommandTable.definitions {
            let expected: UInt32 =
                switch definition.opcode {
                case 0x42, 0x41, 0x93, 0x83: 120
                case 0x48: 0
                default: 30
                }
            #expect(definition.recommendedTimeoutSeconds == expected)
        }
    }

    @Test func whatIsNotListedIsRefused() {
        let decoder = TestUnit.decoder { $0.isSanitizeAllowed = true }
        let known = Set(CommandTable.definitions.map(\.opcode))
        for opcode in UInt8.min...UInt8.max {
            let isUnknown = decoder.decode(CDB(opcode: opcode)).fails(.illegalRequest, 0x2000)
            #expect(isUnknown == !known.contains(opcode), "opcode \(opcode)")
        }
    }

    @Test func anUnknownServiceActionIsNotAnUnknownOpcode() {
        let known: [UInt8: Set<UInt8>] = [
            0x48: [0x02, 0x03, 0x1F], 0x5E: [0, 1, 2, 3], 0x5F: [0, 1, 2, 3, 4, 5, 6, 7], 0x83: [0], 0x84: [0, 3],
            0x9E: [0x10, 0x12], 0xA3: [0x0A, 0x0C, 0x0D],
        ]
        let decoder = TestUnit.decoder { $0.isSanitizeAllowed = true }
        for (opcode, actions) in known {
            for action in UInt8(0)..<32 {
                let disposition = decoder.decode(CDB([opcode, action]))
                let isUnknown = disposition.isInvalidField(byte: 1) && disposition.sense?.fieldPointer?.bit == 4
                #expect(isUnknown == !actions.contains(action), "\(opcode)/\(action)")
            }
        }
    }

    @Test func sanitizeIsUnknownUnlessItIsAllowed() {
        for action in UInt8(0)..<32 {
            let cdb = CDB([0x48, action])
            #expect(TestUnit.decoder().decode(cdb).fails(.illegalRequest, 0x2000))
            let allowed = TestUnit.decoder { $0.isSanitizeAllowed = true }.decode(cdb)
            #expect(!allowed.fails(.illegalRequest, 0x2000))
            #expect((allowed.deviceServerDataOut == 0) == [0x02, 0x03, 0x1F].contains(action))
        }
    }
}
