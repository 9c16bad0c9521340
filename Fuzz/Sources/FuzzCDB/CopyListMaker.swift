// SPDX-License-Identifier: Apache-2.0
import FuzzSupport
import SCSI
import Wire

/// Parameter lists of EXTENDED COPY that are mostly right.
enum CopyListMaker {
    static func list(_ input: inout FuzzInput, volumes: [VolumeID], of unit: LogicalUnit) -> [UInt8] {
        var targets: [UInt8] = []
        for _ in 0..<input.choice(4) { targets += target(input.pick(volumes), of: unit) }
        var segments: [UInt8] = []
        for _ in 0..<input.choice(5) { segments += segment(&input) }
        var list = [UInt8](repeating: 0, count: 16)
        list[0] = input.byte() & 3
        list[1] = UInt8(input.choice(4)) << 3
        list[2] = UInt8(targets.count >> 8)
        list[3] = UInt8(truncatingIfNeeded: targets.count)
        list[11] = UInt8(truncatingIfNeeded: segments.count)
        list += targets + segments
        // Lengths within lengths are what goes wrong.
        if input.byte() > 0xe0 { list[input.choice(list.count)] = input.byte() }
        return list
    }

    private static func target(_ volume: VolumeID, of unit: LogicalUnit) -> [UInt8] {
        var named = unit
        named.volume = volume
        var bytes = [UInt8](repeating: 0, count: 32)
        bytes[0] = 0xe4
        bytes[4] = 1
        bytes[5] = 3
        let name = name(of: named)
        bytes[7] = UInt8(name.count)
        bytes.replaceSubrange(8..<8 + name.count, with: name)
        return bytes
    }

    /// As an initiator learns it: the first designator of INQUIRY's page 83h.
    private static func name(of unit: LogicalUnit) -> [UInt8] {
        let inquiry = CDB(high: 0x1201_8300_ff00_0000, low: 0)
        let disposition = CommandDecoder(unit: unit).begin(inquiry, lun: .zero, expectedDataOutByteCount: 0)
        guard case .complete(let result) = disposition, result.dataIn.count >= 24 else {
            preconditionFailure("a unit without a name")
        }
        return Array(result.dataIn[8..<24])
    }

    private static func segment(_ input: inout FuzzInput) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 28)
        bytes[0] = 0x02
        bytes[3] = 24
        bytes[5] = UInt8(input.choice(4))
        bytes[7] = UInt8(input.choice(4))
        bytes[11] = input.byte()
        for index in [17, 18, 19, 25, 26, 27] { bytes[index] = input.byte() }
        if input.byte() > 0xf0 { for index in 12..<20 { bytes[index] = 0xff } }
        return bytes
    }
}
