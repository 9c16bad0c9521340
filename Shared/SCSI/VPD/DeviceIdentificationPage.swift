// SPDX-License-Identifier: Apache-2.0
import Wire

/// Device identification, page 83h (SPC-4 §7.8.6): the names by which initiators recognise one volume on several paths.
enum DeviceIdentificationPage {
    private enum Association: UInt8 { case logicalUnit = 0, targetPort = 1, targetDevice = 2 }
    private enum CodeSet: UInt8 { case binary = 1, ascii = 2, utf8 = 3 }
    private static let iSCSIProtocol: UInt8 = 5
    /// A company id of the range for local administration (bit 1 of the first byte), which is assigned to nobody.
    private static let companyID: UInt64 = 0x02534C
    /// Initiators read no more than this of a page at first, and some never more.
    private static let wellReadByteCount = 255
    private static let pageHeaderByteCount = 4

    static func body(of unit: LogicalUnit) -> [UInt8] {
        var body: [UInt8] = []
        append(to: &body, .logicalUnit, type: 3, .binary, networkAddressAuthorityName(of: unit))
        append(to: &body, .logicalUnit, type: 1, .ascii, vendorName(of: unit))
        append(to: &body, .targetPort, type: 4, .binary, number(TargetPort.relativeIdentifier))
        append(to: &body, .targetPort, type: 5, .binary, number(TargetPort.group))
        append(to: &body, .targetPort, type: 8, .utf8, targetPortName(of: unit))
        var withDevice = body
        append(to: &withDevice, .targetDevice, type: 8, .utf8, terminated(unit.targetName))
        return withDevice.count + pageHeaderByteCount <= wellReadByteCount ? withDevice : body
    }

    /// NAA 6: 4 bits of type, 24 of company, 36 of its own (unused), and the volume's id as the 64 of extension.
    static func networkAddressAuthorityName(of unit: LogicalUnit) -> [UInt8] {
        var name: [UInt8] = []
        name.appendBigEndian(UInt64(6) << 60 | companyID << 36)
        name.appendBigEndian(unit.volume.rawValue)
        return name
    }

    private static func vendorName(of unit: LogicalUnit) -> [UInt8] {
        var name: [UInt8] = []
        name.appendASCII(unit.vendor, byteCount: 8)
        return name + unit.serialNumber.utf8
    }

    private static func number(_ value: UInt16) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendBigEndian(UInt32(value))
        return bytes
    }

    /// RFC 7143 §4.2.7.1.
    private static func targetPortName(of unit: LogicalUnit) -> [UInt8] {
        terminated("\(unit.targetName),t,0x\(hexadecimal(UInt64(TargetPort.portalGroupTag), digits: 4))")
    }

    /// Ended by at least one NUL and filled to a multiple of 4.
    private static func terminated(_ text: String) -> [UInt8] {
        var name = [UInt8](text.utf8)
        name.appendZeros(4 - name.count % 4)
        return name
    }

    /// A designator holds 255 bytes, which every legal name fits; one that does not is left out rather than cut, since
    /// half a name names something else.
    private static func append(
        to body: inout [UInt8], _ association: Association, type: UInt8, _ codeSet: CodeSet, _ designator: [UInt8]
    ) {
        guard let length = UInt8(exactly: designator.count) else { return }
        let isOfTarget = association != .logicalUnit
        body.append((isOfTarget ? iSCSIProtocol << 4 : 0) | codeSet.rawValue)
        body.append((isOfTarget ? 0x80 : 0) | association.rawValue << 4 | type)
        body += [0, length] + designator
    }
}
