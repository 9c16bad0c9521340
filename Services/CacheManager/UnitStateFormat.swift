// SPDX-License-Identifier: Apache-2.0
package import Engine
package import SCSI

/// `state/slots/<n>/volumes/<volume id>/unit.json`: `RecordFormat` of a unit's state. Version history: 1, first.
package enum UnitStateFormat {
    package static let version = 1
    package static let byteLimit = 16 << 20
    private static let format = RecordFormat(name: .unitState, newestVersion: version, byteLimit: byteLimit)

    private struct Record: Codable {
        var formatVersion = UnitStateFormat.version
        var unit: UnitState
    }

    package static func encode(_ state: UnitState) throws(EngineError) -> [UInt8] {
        try format.encode(Record(unit: state))
    }
    package static func decode(_ bytes: [UInt8]) throws(EngineError) -> UnitState {
        let record: Record = try format.decode(from: bytes)
        return record.unit
    }
}
