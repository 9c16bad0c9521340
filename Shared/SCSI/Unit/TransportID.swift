// SPDX-License-Identifier: Apache-2.0
import Wire

/// How PERSISTENT RESERVE IN and OUT name initiators (SPC-4 §7.6.4.6, iSCSI).
///
/// | byte | field |
/// | --- | --- |
/// | 0 | format (40h: with the ISID, the name of a port; 00h: without, of a device), protocol 5h |
/// | 1 | reserved |
/// | 2-3 | length of what follows: at least 20, a multiple of 4 |
/// | 4- | the name, ended by at least one NUL |
enum TransportID: Equatable {
    /// "iqn...,i,0x" and the ISID in 12 digits.
    case port(String)
    /// All ports of a device.
    case device(String)

    private static let headerByteCount = 4
    private static let protocolIdentifier: UInt8 = 0x05
    private static let portFormat: UInt8 = 0x40

    /// nil: it is none of iSCSI's, or not whole.
    /// - Returns: with how many bytes it takes.
    static func read(_ bytes: ArraySlice<UInt8>) -> (id: Self, byteCount: Int)? {
        let bytes = Array(bytes)
        guard bytes.count >= headerByteCount else { return nil }
        let byteCount = Int(bytes[2]) << 8 | Int(bytes[3])
        let end = headerByteCount + byteCount
        guard byteCount >= 20, byteCount % 4 == 0, bytes.count >= end, bytes[0] & 0x0F == protocolIdentifier,
            let nul = bytes[headerByteCount..<end].firstIndex(of: 0),
            let name = String(validating: bytes[headerByteCount..<nul], as: UTF8.self)?.lowercased(),
            !name.isEmpty,
            name.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value != 0x7F })
        else { return nil }
        switch bytes[0] & 0xF0 {
        case portFormat:
            guard let port = normalized(port: name), port.utf8.count <= NexusTable.maximumPortByteCount else {
                return nil
            }
            return (.port(port), end)
        case 0: return name.contains(",") ? nil : (.device(name), end)
        default: return nil
        }
    }

    /// As frontends spell it, who take names in lower case: names of nexuses are compared byte by byte.
    private static func normalized(port: String) -> String? {
        guard let separator = port.ranges(of: ",i,0x").last, separator.lowerBound > port.startIndex else { return nil }
        let digits = port[separator.upperBound...]
        guard (1...12).contains(digits.utf8.count), digits.utf8.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }),
            let isid = UInt64(digits, radix: 16)
        else { return nil }
        return port[..<separator.upperBound] + hexadecimal(isid, digits: 12)
    }

    var bytes: [UInt8] {
        let (format, text) =
            switch self {
            case .port(let name): (Self.portFormat, name)
            case .device(let name): (UInt8(0), name)
            }
        var name = [UInt8](text.utf8)
        name.appendZeros(max(4 - name.count % 4, 20 - name.count))
        var bytes: [UInt8] = [format | Self.protocolIdentifier, 0]
        bytes.appendBigEndian(UInt16(name.count))
        return bytes + name
    }
}
