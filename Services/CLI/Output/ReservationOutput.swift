// SPDX-License-Identifier: Apache-2.0
package import Messages
import Wire

/// The reservations of a volume as `--json` shows them. Names are a promise to scripts: add, never rename.
package struct ReservationOutput: Encodable, Equatable, Sendable {
    package struct Registrant: Encodable, Equatable, Sendable {
        package var initiatorPort: String
        /// As clusters write it: `0x` and hexadecimal digits.
        package var key: String
        package var isHolder: Bool
        package var isConnected: Bool
    }
    package var generation: UInt32
    package var type: String?
    package var registrants: [Registrant]
    package var reservedBy: String?

    package init(_ reply: VolumeReservationsRequest.Reply) {
        generation = reply.generation
        type = reply.type.map(Self.typeName)
        registrants = reply.registrants.map {
            Registrant(
                initiatorPort: $0.initiatorPort, key: "0x" + hexadecimal($0.key, digits: 16), isHolder: $0.isHolder,
                isConnected: $0.isConnected)
        }
        reservedBy = reply.reservedBy
    }

    package var text: String {
        var lines = ""
        if let reservedBy { lines += "reserved (RESERVE) by \(reservedBy)\n" }
        guard !registrants.isEmpty else { return lines.isEmpty ? "no reservations\n" : lines }
        var table = Table(["INITIATOR PORT", "KEY", "HOLDER", "CONNECTED"])
        for registrant in registrants {
            table.add([
                registrant.initiatorPort, registrant.key, registrant.isHolder ? "yes" : "",
                registrant.isConnected ? "yes" : "no",
            ])
        }
        let reservation = type.map { "persistent reservation: \($0)" } ?? "no persistent reservation"
        return lines + "\(reservation), generation \(generation)\n" + table.render()
    }

    /// SPC-4 table 64.
    private static func typeName(_ type: UInt8) -> String {
        switch type {
        case 1: "write exclusive"
        case 3: "exclusive access"
        case 5: "write exclusive, registrants only"
        case 6: "exclusive access, registrants only"
        case 7: "write exclusive, all registrants"
        case 8: "exclusive access, all registrants"
        default: "type \(type)"
        }
    }
}
