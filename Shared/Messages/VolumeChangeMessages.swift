// SPDX-License-Identifier: Apache-2.0
import Wire

/// Changes settings of a volume while it is used; what is nil stays. Answered once the bucket has them. Initiators are
/// told what concerns them by a unit attention.
package struct VolumeChangeRequest: BusRequest {
    package typealias Reply = VolumeDescription
    package static let kind = MessageKind.volumeChange
    package var volume: VolumeReference
    /// Not less than it has: a multiple of 1 GiB, at most 64 TiB. What is new reads as zeros.
    package var byteCount: UInt64?
    /// As `VolumeCreateRequest.name`. The target's name changes with it, so sessions of the old one end.
    package var name: String?
    package var durability: Durability?
    /// Write-protected for all initiators.
    package var isReadOnly: Bool?
    /// Whether initiators may erase all of it with SANITIZE.
    package var allowsSanitize: Bool?
    package init(
        volume: VolumeReference, byteCount: UInt64? = nil, name: String? = nil, durability: Durability? = nil,
        isReadOnly: Bool? = nil, allowsSanitize: Bool? = nil
    ) {
        self.volume = volume
        self.byteCount = byteCount
        self.name = name
        self.durability = durability
        self.isReadOnly = isReadOnly
        self.allowsSanitize = allowsSanitize
    }
}

/// The reservations that initiators hold on a volume, for people whose cluster has left some behind.
package struct VolumeReservationsRequest: BusRequest {
    package static let kind = MessageKind.volumeReservations
    package var volume: VolumeReference
    /// Removes all of them; those who are registered are told by a unit attention.
    package var clears: Bool
    package init(volume: VolumeReference, clears: Bool) {
        self.volume = volume
        self.clears = clears
    }
    package struct Registrant: Codable, Sendable, Equatable {
        /// `<initiator name>,i,0x<ISID>`.
        package var initiatorPort: String
        package var key: UInt64
        package var isHolder: Bool
        package var isConnected: Bool
        package init(initiatorPort: String, key: UInt64, isHolder: Bool, isConnected: Bool) {
            self.initiatorPort = initiatorPort
            self.key = key
            self.isHolder = isHolder
            self.isConnected = isConnected
        }
    }
    package struct Reply: Codable, Sendable {
        /// Of PERSISTENT RESERVE IN, 0 as long as nothing was registered.
        package var generation: UInt32
        package var registrants: [Registrant]
        /// Type of the persistent reservation (SPC-4 table 64); nil: there is none.
        package var type: UInt8?
        /// The initiator port that has reserved the unit with RESERVE.
        package var reservedBy: String?
        package init(generation: UInt32, registrants: [Registrant], type: UInt8?, reservedBy: String?) {
            self.generation = generation
            self.registrants = registrants
            self.type = type
            self.reservedBy = reservedBy
        }
    }
}
