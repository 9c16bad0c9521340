// SPDX-License-Identifier: Apache-2.0

/// The one list of commands: an opcode that is not here is unknown. It says what each command's CDB may contain and
/// what has to be so for it to be carried out.
///
/// What depends on more of the CDB than its service action is not here: PREVENT ALLOW MEDIUM REMOVAL that allows and
/// START STOP UNIT that starts pass reservations too, EXTENDED COPY writes only if this unit is a destination. A
/// PERSISTENT RESERVE OUT passes because it judges registrations and the reservation itself.
package enum CommandTable {
    /// By opcode and service action.
    package static let definitions: [CommandDefinition] = [
        entry(.testUnitReady, 0x0000_0000_0004_0000, 0, 6, [.needsReadyUnit, .passesPersistentReservation]),
        entry(.requestSense, 0x0301_0000_FF04_0000, 0, 6, .always),
        entry(.read6, 0x081F_FFFF_FF04_0000, 0, 6, [.needsReadyUnit, .passesWriteExclusive]),
        entry(.write6, 0x0A1F_FFFF_FF04_0000, 0, 6, [.needsReadyUnit, .writes]),
        entry(.inquiry, 0x1201_FFFF_FF04_0000, 0, 6, .always),
        entry(.modeSelect6, 0x1511_0000_FF04_0000, 0, 6, []),
        entry(.reserve6, 0x1600_0000_0004_0000, 0, 6, []),
        entry(.release6, 0x1700_0000_0004_0000, 0, 6, .passesReserve),
        entry(.modeSense6, 0x1A08_FFFF_FF04_0000, 0, 6, .passesWriteExclusive),
        entry(.startStopUnit, 0x1B01_000F_F704_0000, 0, 6, []),
        entry(.preventAllowMediumRemoval, 0x1E00_0000_0304_0000, 0, 6, []),
        entry(
            .readCapacity10, 0x2500_0000_0000_0000, 0x0004_0000_0000_0000, 10,
            [.needsReadyUnit, .passesReserve, .passesPersistentReservation]),
        entry(.read10, 0x28F8_FFFF_FFFF_00FF, 0xFF04_0000_0000_0000, 10, [.needsReadyUnit, .passesWriteExclusive]),
        entry(.write10, 0x2AF8_FFFF_FFFF_00FF, 0xFF04_0000_0000_0000, 10, [.needsReadyUnit, .writes]),
        entry(.writeAndVerify10, 0x2EF6_FFFF_FFFF_00FF, 0xFF04_0000_0000_0000, 10, [.needsReadyUnit, .writes]),
        entry(.verify10, 0x2FF6_FFFF_FFFF_00FF, 0xFF04_0000_0000_0000, 10, [.needsReadyUnit, .passesWriteExclusive]),
        entry(.prefetch10, 0x3402_FFFF_FFFF_00FF, 0xFF04_0000_0000_0000, 10, [.needsReadyUnit, .passesWriteExclusive]),
        entry(.synchronizeCache10, 0x3502_FFFF_FFFF_00FF, 0xFF04_0000_0000_0000, 10, .needsReadyUnit),
        entry(.readDefectData10, 0x3700_1F00_0000_00FF, 0xFF04_0000_0000_0000, 10, .passesWriteExclusive),
        entry(.writeSame10, 0x41F8_FFFF_FFFF_00FF, 0xFF04_0000_0000_0000, 10, [.needsReadyUnit, .writes]),
        entry(.unmap, 0x4201_0000_0000_00FF, 0xFF04_0000_0000_0000, 10, [.needsReadyUnit, .writes]),
        entry(
            .sanitizeBlockErase, 0x48A2_0000_0000_00FF, 0xFF04_0000_0000_0000, 10,
            [.needsReadyUnit, .writes, .sanitizes], serviceAction: 0x02),
        entry(
            .sanitizeCryptographicErase, 0x48A3_0000_0000_00FF, 0xFF04_0000_0000_0000, 10,
            [.needsReadyUnit, .writes, .sanitizes], serviceAction: 0x03),
        entry(
            .sanitizeExitFailureMode, 0x48BF_0000_0000_00FF, 0xFF04_0000_0000_0000, 10,
            [.needsReadyUnit, .writes, .sanitizes], serviceAction: 0x1F),
        entry(.logSense, 0x4D01_FFFF_00FF_FFFF, 0xFF04_0000_0000_0000, 10, .passesPersistentReservation),
        entry(.modeSelect10, 0x5511_0000_0000_00FF, 0xFF04_0000_0000_0000, 10, []),
        entry(.reserve10, 0x5600_0000_0000_0000, 0x0004_0000_0000_0000, 10, []),
        entry(.release10, 0x5700_0000_0000_0000, 0x0004_0000_0000_0000, 10, .passesReserve),
        entry(.modeSense10, 0x5A18_FFFF_0000_00FF, 0xFF04_0000_0000_0000, 10, .passesWriteExclusive),
        entry(
            .persistentReadKeys, 0x5E00_0000_0000_00FF, 0xFF04_0000_0000_0000, 10,
            [.passesPersistentReservation, .passesSanitize], serviceAction: 0x00),
        entry(
            .persistentReadReservation, 0x5E01_0000_0000_00FF, 0xFF04_0000_0000_0000, 10,
            [.passesPersistentReservation, .passesSanitize], serviceAction: 0x01),
        entry(
            .persistentReportCapabilities, 0x5E02_0000_0000_00FF, 0xFF04_0000_0000_0000, 10,
            [.passesPersistentReservation, .passesSanitize], serviceAction: 0x02),
        entry(
            .persistentReadFullStatus, 0x5E03_0000_0000_00FF, 0xFF04_0000_0000_0000, 10,
            [.passesPersistentReservation, .passesSanitize], serviceAction: 0x03),
        entry(
            .persistentRegister, 0x5F00_0000_00FF_FFFF, 0xFF04_0000_0000_0000, 10,
            .passesPersistentReservation, serviceAction: 0x00),
        entry(
            .persistentReserve, 0x5F01_FF00_00FF_FFFF, 0xFF04_0000_0000_0000, 10,
            .passesPersistentReservation, serviceAction: 0x01),
        entry(
            .persistentRelease, 0x5F02_FF00_00FF_FFFF, 0xFF04_0000_0000_0000, 10,
            .passesPersistentReservation, serviceAction: 0x02),
        entry(
            .persistentClear, 0x5F03_0000_00FF_FFFF, 0xFF04_0000_0000_0000, 10,
            .passesPersistentReservation, serviceAction: 0x03),
        entry(
            .persistentPreempt, 0x5F04_FF00_00FF_FFFF, 0xFF04_0000_0000_0000, 10,
            .passesPersistentReservation, serviceAction: 0x04),
        entry(
            .persistentPreemptAndAbort, 0x5F05_FF00_00FF_FFFF, 0xFF04_0000_0000_0000, 10,
            .passesPersistentReservation, serviceAction: 0x05),
        entry(
            .persistentRegisterAndIgnoreExistingKey, 0x5F06_0000_00FF_FFFF, 0xFF04_0000_0000_0000, 10,
            .passesPersistentReservation, serviceAction: 0x06),
        entry(
            .persistentRegisterAndMove, 0x5F07_0000_00FF_FFFF, 0xFF04_0000_0000_0000, 10,
            .passesPersistentReservation, serviceAction: 0x07),
        entry(.extendedCopy, 0x8300_0000_0000_0000, 0x0000_FFFF_FFFF_0004, 16, .needsReadyUnit, serviceAction: 0x00),
        entry(
            .receiveCopyStatus, 0x8400_FF00_0000_0000, 0x0000_FFFF_FFFF_0004, 16,
            .passesWriteExclusive, serviceAction: 0x00),
        entry(
            .receiveCopyOperatingParameters, 0x8403_0000_0000_0000, 0x0000_FFFF_FFFF_0004, 16,
            .passesWriteExclusive, serviceAction: 0x03),
        entry(.read16, 0x88F8_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_0004, 16, [.needsReadyUnit, .passesWriteExclusive]),
        entry(.compareAndWrite, 0x89F8_FFFF_FFFF_FFFF, 0xFFFF_0000_00FF_0004, 16, [.needsReadyUnit, .writes]),
        entry(.write16, 0x8AF8_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_0004, 16, [.needsReadyUnit, .writes]),
        entry(.orWrite16, 0x8BF8_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_0004, 16, [.needsReadyUnit, .writes]),
        entry(.writeAndVerify16, 0x8EF6_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_0004, 16, [.needsReadyUnit, .writes]),
        entry(.verify16, 0x8FF6_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_0004, 16, [.needsReadyUnit, .passesWriteExclusive]),
        entry(.prefetch16, 0x9002_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_0004, 16, [.needsReadyUnit, .passesWriteExclusive]),
        entry(.synchronizeCache16, 0x9102_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_0004, 16, .needsReadyUnit),
        entry(.writeSame16, 0x93F9_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_0004, 16, [.needsReadyUnit, .writes]),
        entry(.writeAtomic16, 0x9CF8_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_0004, 16, [.needsReadyUnit, .writes]),
        entry(
            .readCapacity16, 0x9E10_0000_0000_0000, 0x0000_FFFF_FFFF_0004, 16,
            [.needsReadyUnit, .passesReserve, .passesPersistentReservation], serviceAction: 0x10),
        entry(
            .getLBAStatus, 0x9E12_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_0004, 16,
            [.needsReadyUnit, .passesWriteExclusive], serviceAction: 0x12),
        entry(.reportLUNs, 0xA000_FF00_0000_FFFF, 0xFFFF_0004_0000_0000, 12, .always),
        entry(
            .reportTargetPortGroups, 0xA30A_0000_0000_FFFF, 0xFFFF_0004_0000_0000, 12,
            .passesPersistentReservation, serviceAction: 0x0A),
        entry(
            .reportSupportedOperationCodes, 0xA30C_87FF_FFFF_FFFF, 0xFFFF_0004_0000_0000, 12,
            .passesPersistentReservation, serviceAction: 0x0C),
        entry(
            .reportSupportedTaskManagementFunctions, 0xA30D_8000_0000_FFFF, 0xFFFF_0004_0000_0000, 12,
            .passesPersistentReservation, serviceAction: 0x0D),
        entry(.read12, 0xA8F8_FFFF_FFFF_FFFF, 0xFFFF_0004_0000_0000, 12, [.needsReadyUnit, .passesWriteExclusive]),
        entry(.write12, 0xAAF8_FFFF_FFFF_FFFF, 0xFFFF_0004_0000_0000, 12, [.needsReadyUnit, .writes]),
        entry(.writeAndVerify12, 0xAEF6_FFFF_FFFF_FFFF, 0xFFFF_0004_0000_0000, 12, [.needsReadyUnit, .writes]),
        entry(.verify12, 0xAFF6_FFFF_FFFF_FFFF, 0xFFFF_0004_0000_0000, 12, [.needsReadyUnit, .passesWriteExclusive]),
        entry(.readDefectData12, 0xB71F_FFFF_FFFF_FFFF, 0xFFFF_0004_0000_0000, 12, .passesWriteExclusive),
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
    package static func definition(
        of cdb: CDB, isSanitizeAllowed: Bool
    ) throws(SCSIError) -> CommandDefinition {
        guard let definition = lookUp(cdb.opcode, serviceAction: cdb.serviceAction, isSanitizeAllowed) else {
            let isKnown = hasServiceActions(cdb.opcode, isSanitizeAllowed: isSanitizeAllowed)
            throw isKnown ? .invalidFieldInCDB(byte: 1, bit: 4) : .invalidOperationCode
        }
        return definition
    }

    /// - Parameter serviceAction: ignored for an opcode that has none.
    private static func lookUp(
        _ opcode: UInt8, serviceAction: UInt8, _ isSanitizeAllowed: Bool
    ) -> CommandDefinition? {
        var position = Int(firstPosition[Int(opcode)])
        while position < definitions.count, definitions[position].opcode == opcode {
            let definition = definitions[position]
            if definition.serviceAction == nil || definition.serviceAction == serviceAction {
                return definition.traits.contains(.sanitizes) && !isSanitizeAllowed ? nil : definition
            }
            position += 1
        }
        return nil
    }

    /// False for an opcode that is unknown.
    static func hasServiceActions(_ opcode: UInt8, isSanitizeAllowed: Bool) -> Bool {
        let position = Int(firstPosition[Int(opcode)])
        guard position < definitions.count else { return false }
        if definitions[position].traits.contains(.sanitizes), !isSanitizeAllowed { return false }
        return definitions[position].serviceAction != nil
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

extension CommandDefinition.Traits {
    /// INQUIRY, REPORT LUNS and REQUEST SENSE: what an initiator needs to find out about anything else.
    fileprivate static let always: Self = [
        .passesUnitAttention, .passesReserve, .passesPersistentReservation, .passesSanitize,
    ]
}
