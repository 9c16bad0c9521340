// SPDX-License-Identifier: Apache-2.0
package import Platform
package import Wire

/// What tells one request from every other; the same each time the request is sent (STORAGE §4).
package struct RequestOrigin: Hashable, Sendable {
    package var frontend: ServiceInstance
    package var number: UInt64
    package init(frontend: ServiceInstance, number: UInt64) {
        self.frontend = frontend
        self.number = number
    }
}

package enum VolumeCommand: Equatable, Sendable {
    case read(SectorRange)
    /// Payload: the data.
    case write(SectorRange, forceUnitAccess: Bool)
    /// Payload: one sector.
    case writeSame(SectorRange, forceUnitAccess: Bool)
    case unmap([SectorRange])
    /// Payload: compare half, write half.
    case compareAndWrite(SectorRange, forceUnitAccess: Bool)
    case flush
}

package struct VolumeRequest: Sendable {
    package var origin: RequestOrigin
    /// Every lower number of this frontend is answered and will not come again.
    package var lowestOpenNumber: UInt64
    /// The I_T nexus, for barriers.
    package var nexus: UInt64
    package var command: VolumeCommand
    package init(origin: RequestOrigin, lowestOpenNumber: UInt64, nexus: UInt64, command: VolumeCommand) {
        self.origin = origin
        self.lowestOpenNumber = lowestOpenNumber
        self.nexus = nexus
        self.command = command
    }
}

package enum VolumeReply {
    case good
    case data(IOBuffer)
    /// Offset of the first differing byte in the compare half.
    case miscompare(byteOffset: Int)
    case busy
    case outOfRange
    case mediumError(sector: UInt64)
    case writeError
    case fenced

    /// It says what the volume holds, which only its owner knows.
    var statesContents: Bool {
        switch self {
        case .good, .data, .miscompare, .mediumError: true
        case .busy, .outOfRange, .writeError, .fenced: false
        }
    }
}
