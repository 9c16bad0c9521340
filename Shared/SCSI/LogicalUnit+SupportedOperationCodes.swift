// SPDX-License-Identifier: Apache-2.0

/// REPORT SUPPORTED OPERATION CODES, SPC-4 §6.35: the command table, for initiators.
extension LogicalUnit {
    private enum Support: UInt8 { case notSupported = 1, asInStandard = 3 }
    /// CTDP of a list entry, and of the reply about one command.
    private static let timeoutsFollowInList: UInt8 = 0x02
    private static let timeoutsFollow: UInt8 = 0x80
    private static let serviceActionValid: UInt8 = 0x01

    package func reportSupportedOperationCodes(_ cdb: CDB) throws(SCSIError) -> CommandResult {
        let fields = ReportSupportedOperationCodesCDB(cdb)
        let data =
            fields.reportingOptions == 0
            ? allOperationCodes(returnTimeouts: fields.returnTimeouts) : description(of: try requested(fields), fields)
        return CommandResult(dataIn: data, allocationLength: fields.allocationLength)
    }

    private func allOperationCodes(returnTimeouts: Bool) -> [UInt8] {
        var list: [UInt8] = []
        for definition in CommandTable.definitions where isPresent(definition) {
            list += [definition.opcode, 0]
            list.appendBigEndian(UInt16(definition.serviceAction ?? 0))
            let flags = definition.serviceAction == nil ? 0 : Self.serviceActionValid
            list += [0, flags | (returnTimeouts ? Self.timeoutsFollowInList : 0)]
            list.appendBigEndian(UInt16(definition.byteCount))
            if returnTimeouts { list += timeouts(of: definition) }
        }
        var data: [UInt8] = []
        data.appendBigEndian(UInt32(list.count))
        return data + list
    }

    /// Nil when there is no such command. Asking for one without its service action, or with one that it cannot have,
    /// is an error of the option in byte 2: initiators take byte 1 for a command that is not implemented.
    private func requested(_ fields: ReportSupportedOperationCodesCDB) throws(SCSIError) -> CommandDefinition? {
        let opcode = fields.requestedOperationCode
        let candidates = CommandTable.definitions.filter { $0.opcode == opcode && isPresent($0) }
        let hasServiceActions = candidates.first?.serviceAction != nil
        switch fields.reportingOptions {
        case 1:
            if hasServiceActions { throw .invalidFieldInCDB(byte: 2, bit: 2) }
            return candidates.first
        case 2:
            if !candidates.isEmpty, !hasServiceActions { throw .invalidFieldInCDB(byte: 2, bit: 2) }
            fallthrough
        case 3:
            return candidates.first { UInt16($0.serviceAction ?? 0) == fields.requestedServiceAction }
        default:
            throw .invalidFieldInCDB(byte: 2, bit: 2)
        }
    }

    private func description(
        of definition: CommandDefinition?, _ fields: ReportSupportedOperationCodesCDB
    ) -> [UInt8] {
        guard let definition else { return [0, Support.notSupported.rawValue, 0, 0] }
        var data: [UInt8] = [
            0, Support.asInStandard.rawValue | (fields.returnTimeouts ? Self.timeoutsFollow : 0),
        ]
        data.appendBigEndian(UInt16(definition.byteCount))
        for index in 0..<definition.byteCount { data.append(definition.usage.byte(index)) }
        return fields.returnTimeouts ? data + timeouts(of: definition) : data
    }

    /// Command timeouts descriptor, SPC-4 §6.35.4. How long a command takes without trouble (nominal) is not told.
    private func timeouts(of definition: CommandDefinition) -> [UInt8] {
        var descriptor: [UInt8] = [0x00, 0x0A, 0x00, 0x00]
        descriptor.appendBigEndian(UInt32(0))
        descriptor.appendBigEndian(definition.recommendedTimeoutSeconds)
        return descriptor
    }

    private func isPresent(_ definition: CommandDefinition) -> Bool {
        isSanitizeAllowed || !definition.traits.contains(.sanitizes)
    }
}
