// SPDX-License-Identifier: Apache-2.0
import FuzzSupport
import SCSI

/// CDBs that are mostly right: of the commands there are, with the bits that these have.
enum CommandMaker {
    static func command(_ input: inout FuzzInput) -> CDB {
        let definition = CommandTable.definitions[input.choice(CommandTable.definitions.count)]
        var bytes = definition.usage.bytes
        let first = definition.serviceAction == nil ? 1 : 2
        let hasAllBits = input.byte() > 0xf0
        for index in first..<16 where bytes[index] != 0 || hasAllBits {
            let value = input.byte()
            bytes[index] = hasAllBits ? value : value & bytes[index]
        }
        // NACA is wrong everywhere, and would hide all else half of the time.
        if !hasAllBits { bytes[definition.byteCount - 1] = 0 }
        return cdb(bytes)
    }

    static func reservation(_ input: inout FuzzInput) -> CDB {
        var bytes = [UInt8](repeating: 0, count: 16)
        bytes[0] = input.pick([0x16, 0x17, 0x56, 0x57, 0x5e, 0x03, 0x00])
        if bytes[0] == 0x5e {
            bytes[1] = UInt8(input.choice(5))
            bytes[7] = UInt8(input.choice(4))
            bytes[8] = input.byte()
        } else if bytes[0] == 0x03 {
            bytes[4] = input.byte()
        }
        return cdb(bytes)
    }

    static func cdb(_ bytes: [UInt8]) -> CDB { unsafe CDB(bytes: bytes.span.bytes) }

    /// Where a command that returns parameter data says how much there is room for; nil: this much is always returned.
    static func allocationLength(of cdb: CDB) -> Int {
        let bytes = cdb.bytes
        func number(_ range: Range<Int>) -> Int { bytes[range].reduce(0) { $0 << 8 | Int($1) } }
        switch bytes[0] {
        case 0x03, 0x1a: return number(4..<5)
        case 0x12: return number(3..<5)
        case 0x25: return 8
        case 0x37, 0x4d, 0x5a, 0x5e: return number(7..<9)
        case 0x84, 0x9e: return number(10..<14)
        case 0xa0, 0xa3, 0xb7: return number(6..<10)
        default: return 0
        }
    }
}
