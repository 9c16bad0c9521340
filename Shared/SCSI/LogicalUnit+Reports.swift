// SPDX-License-Identifier: Apache-2.0
import Wire

/// The short replies that describe the unit. The CDB is one whose command the caller has looked up.
extension LogicalUnit {
    /// GOOD with the sense as data; cannot fail.
    package static func requestSense(_ cdb: CDB, _ sense: Sense) -> CommandResult {
        let fields = RequestSenseCDB(cdb)
        return CommandResult(dataIn: sense.encoded(fields.format), allocationLength: fields.allocationLength)
    }

    /// REPORT LUNS, SPC-4 §6.33. One target has one unit, number 0, and no well-known ones.
    package func reportLUNs(_ cdb: CDB) throws(SCSIError) -> CommandResult {
        let fields = ReportLUNsCDB(cdb)
        let list: [UInt8]
        switch fields.selectReport {
        case 0, 2: list = [UInt8](repeating: 0, count: 8)
        case 1: list = []
        default: throw .invalidFieldInCDB(byte: 2, bit: 7)
        }
        var data: [UInt8] = []
        data.appendBigEndian(UInt32(list.count))
        data.appendZeros(4)
        data += list
        return CommandResult(dataIn: data, allocationLength: fields.allocationLength)
    }

    /// Has no allocation length; an address that does not fit sends the initiator to READ CAPACITY(16).
    package func readCapacity10() -> CommandResult {
        var data: [UInt8] = []
        data.appendBigEndian(UInt32(clamping: blockCount - 1))
        data.appendBigEndian(blockSize.rawValue)
        return CommandResult(dataIn: data, allocationLength: data.count)
    }

    /// LOGICAL BLOCKS PER PHYSICAL BLOCK EXPONENT stays 0 although the map's unit is 4 KiB. With 3 on sectors,
    /// GET LBA STATUS would have to round its first address up to satisfy conformance tests, and qemu takes any first
    /// address but its own for an I/O error. The granularities in the block limits page tell initiators about the 4 KiB
    /// all the same.
    package func readCapacity16(_ cdb: CDB) -> CommandResult {
        var data: [UInt8] = []
        data.appendBigEndian(blockCount - 1)
        data.appendBigEndian(blockSize.rawValue)
        data += [0, 0, 0xC0, 0]  // No protection; exponent 0; LBPME and LBPRZ, aligned at 0.
        data.appendZeros(16)
        return CommandResult(dataIn: data, allocationLength: ReadCapacity16CDB(cdb).allocationLength)
    }

    /// READ DEFECT DATA, SBC-3 §5.16-5.17: the lists asked for, which are empty.
    package func readDefectData(_ cdb: CDB) -> CommandResult {
        let fields = ReadDefectDataCDB(cdb)
        var data: [UInt8] = [0, fields.request]
        data.appendZeros(fields.isLong ? 6 : 2)
        return CommandResult(dataIn: data, allocationLength: fields.allocationLength)
    }

    /// REPORT TARGET PORT GROUPS, SPC-4 §6.37: the one group, active and optimized, not preferred to others, with the
    /// one port. Of the two formats only the first is known.
    package func reportTargetPortGroups(_ cdb: CDB) throws(SCSIError) -> CommandResult {
        let fields = ReportTargetPortGroupsCDB(cdb)
        if fields.parameterDataFormat != 0 { throw .invalidFieldInCDB(byte: 1, bit: 7) }
        var groups: [UInt8] = [0x00, 0x01]  // PREF 0, active/optimized; which is the only state supported.
        groups.appendBigEndian(TargetPort.group)
        groups += [0, 0, 0, 1]  // No status code; one port follows.
        groups.appendZeros(2)
        groups.appendBigEndian(TargetPort.relativeIdentifier)
        var data: [UInt8] = []
        data.appendBigEndian(UInt32(groups.count))
        return CommandResult(dataIn: data + groups, allocationLength: fields.allocationLength)
    }

    /// REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS, SPC-4 §6.36.
    package func reportSupportedTaskManagementFunctions(_ cdb: CDB) -> CommandResult {
        let fields = ReportSupportedTaskManagementFunctionsCDB(cdb)
        // ABORT TASK, ABORT TASK SET, CLEAR TASK SET, LOGICAL UNIT RESET.
        var data: [UInt8] = [0xD8, 0x00, 0x00, fields.returnExtendedData ? 12 : 0]
        if fields.returnExtendedData { data.appendZeros(12) }  // No timeouts for them.
        return CommandResult(dataIn: data, allocationLength: fields.allocationLength)
    }
}
