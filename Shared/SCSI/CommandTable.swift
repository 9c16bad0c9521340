// SPDX-License-Identifier: Apache-2.0

/// The one list of commands: an opcode that is not here is unknown. It says what each command's CDB may contain, which
/// of the common checks apply to it, and what carries it out.
package enum CommandTable {
    /// By opcode and service action.
    package static let definitions: [CommandDefinition] = [
        entry(.testUnitReady, 0x0000_0000_0004_0000, 0, 6, .needsReadyUnit),
        entry(.requestSense, 0x0301_0000_FF04_0000, 0, 6, .passesUnitAttention),
        entry(.read6, 0x081F_FFFF_FF04_0000, 0, 6, .needsReadyUnit),
        entry(.inquiry, 0x1203_FFFF_FF04_0000, 0, 6, .passesUnitAttention),
        entry(.modeSense6, 0x1A08_FFFF_FF04_0000, 0, 6, []),
        entry(.readCapacity10, 0x2500_0000_0000_0000, 0x0004_0000_0000_0000, 10, .needsReadyUnit),
        entry(.read10, 0x28F8_FFFF_FFFF_00FF, 0xFF04_0000_0000_0000, 10, .needsReadyUnit),
        entry(.write10, 0x2AF8_FFFF_FFFF_00FF, 0xFF04_0000_0000_0000, 10, [.needsReadyUnit, .writes]),
        entry(.synchronizeCache10, 0x3502_FFFF_FFFF_00FF, 0xFF04_0000_0000_0000, 10, .needsReadyUnit),
        entry(.writeSame10, 0x41FE_FFFF_FFFF_00FF, 0xFF04_0000_0000_0000, 10, [.needsReadyUnit, .writes]),
        entry(.unmap, 0x4201_0000_0000_00FF, 0xFF04_0000_0000_0000, 10, [.needsReadyUnit, .writes]),
        entry(.modeSense10, 0x5A18_FFFF_0000_00FF, 0xFF04_0000_0000_0000, 10, []),
        entry(.read16, 0x88F8_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_0004, 16, .needsReadyUnit),
        entry(.compareAndWrite, 0x89F8_FFFF_FFFF_FFFF, 0xFFFF_0000_00FF_0004, 16, [.needsReadyUnit, .writes]),
        entry(.write16, 0x8AF8_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_0004, 16, [.needsReadyUnit, .writes]),
        entry(.synchronizeCache16, 0x9102_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_0004, 16, .needsReadyUnit),
        entry(.writeSame16, 0x93FF_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_0004, 16, [.needsReadyUnit, .writes]),
        entry(
            .readCapacity16, 0x9E10_0000_0000_0000, 0x0000_FFFF_FFFF_0004, 16, .needsReadyUnit,
            serviceAction: ReadCapacity16CDB.serviceAction),
        entry(
            .getLBAStatus, 0x9E12_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_0004, 16, .needsReadyUnit,
            serviceAction: GetLBAStatusCDB.serviceAction),
        entry(.reportLUNs, 0xA000_FF00_0000_FFFF, 0xFFFF_0004_0000_0000, 12, .passesUnitAttention),
        entry(.read12, 0xA8F8_FFFF_FFFF_FFFF, 0xFFFF_0004_0000_0000, 12, .needsReadyUnit),
        entry(.write12, 0xAAF8_FFFF_FFFF_FFFF, 0xFFFF_0004_0000_0000, 12, [.needsReadyUnit, .writes]),
    ]

    private static let absent: UInt8 = 0xFF

    /// For each opcode the position of its first definition; those of one opcode follow each other.
    private static let firstPosition: InlineArray<256, UInt8> = {
        var positions = InlineArray<256, UInt8>(repeating: absent)
        for (position, definition) in definitions.enumerated().reversed() {
            positions[Int(definition.opcode)] = UInt8(position)
        }
        return positions
    }()

    /// An opcode with service actions is known even when the one asked for is not: initiators tell the two apart by the
    /// sense, and take "invalid operation code" for the whole family.
    static func definition(of cdb: CDB) throws(SCSIError) -> CommandDefinition {
        let first = firstPosition[Int(cdb.opcode)]
        guard first != absent else { throw .invalidOperationCode }
        var position = Int(first)
        repeat {
            let definition = definitions[position]
            guard let serviceAction = definition.serviceAction else { return definition }
            if serviceAction == cdb.serviceAction { return definition }
            position += 1
        } while position < definitions.count && definitions[position].opcode == cdb.opcode
        throw .invalidFieldInCDB(byte: 1, bit: 4)
    }

    private static func entry(
        _ command: OperationCode, _ usageHigh: UInt64, _ usageLow: UInt64, _ byteCount: Int,
        _ traits: CommandDefinition.Traits, serviceAction: UInt8? = nil
    ) -> CommandDefinition {
        CommandDefinition(
            command: command, traits: traits, usage: CDB(high: usageHigh, low: usageLow), byteCount: byteCount,
            serviceAction: serviceAction)
    }
}
