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
    case write(SectorRange)
    /// Payload: one sector; or one block, repeated over whole blocks.
    case writeSame(SectorRange)
    case unmap([SectorRange])
    /// Payload: compare half, write half.
    case compareAndWrite(SectorRange)
    /// Payload: what is added to what is there, bit by bit.
    case orWrite(SectorRange)
    /// Payload: what must be there; or one sector or block, which each must be like. Changes nothing.
    case compare(SectorRange)
    /// Answered when it is begun, whatever becomes of it.
    case prefetch(SectorRange)
    case flush
}

package struct VolumeRequest: Sendable {
    package var origin: RequestOrigin
    /// Every lower number of this frontend is answered and will not come again.
    package var lowestOpenNumber: UInt64
    /// The I_T nexus, for barriers.
    package var nexus: UInt64
    package var command: VolumeCommand
    /// What it changes is durable before it is answered.
    package var forceUnitAccess: Bool
    package init(
        origin: RequestOrigin, lowestOpenNumber: UInt64, nexus: UInt64, command: VolumeCommand,
        forceUnitAccess: Bool = false
    ) {
        self.origin = origin
        self.lowestOpenNumber = lowestOpenNumber
        self.nexus = nexus
        self.command = command
        self.forceUnitAccess = forceUnitAccess
    }
}

package enum VolumeReply {
    case good
    case data(IOBuffer)
    /// Offset of the first byte that differs from what was to be there.
    case miscompare(byteOffset: Int)
    /// Dropped by `Volume.abort`; it is not applied any more, however often it comes.
    case aborted
    case busy
    case outOfRange
    case mediumError(sector: UInt64)
    case writeError
    case fenced

    /// It says what the volume holds, which only its owner knows.
    var statesContents: Bool {
        switch self {
        case .good, .data, .miscompare, .mediumError: true
        case .aborted, .busy, .outOfRange, .writeError, .fenced: false
        }
    }
}

extension VolumeCommand {
    var changesVolume: Bool {
        switch self {
        case .read, .compare, .prefetch, .flush: false
        case .write, .writeSame, .unmap, .compareAndWrite, .orWrite: true
        }
    }

    /// All that must exist.
    var sectors: [SectorRange] {
        switch self {
        case .read(let range), .compare(let range), .prefetch(let range), .write(let range), .writeSame(let range),
            .compareAndWrite(let range), .orWrite(let range):
            [range]
        case .unmap(let ranges): ranges
        case .flush: []
        }
    }

    func changes(_ sectors: SectorRange) -> Bool {
        changesVolume && self.sectors.contains { $0.overlaps(sectors) }
    }

    /// About what the command takes in the journal.
    var journalByteCount: Int {
        switch self {
        case .read, .compare, .prefetch, .flush: 0
        case .write(let range), .compareAndWrite(let range), .orWrite(let range):
            range.byteCount
                + JournalEntry.byteCount(rangeCount: 1, checksumCount: JournalEntry.checksumCount(of: range))
        case .writeSame: Geometry.blockByteCount + JournalEntry.byteCount(rangeCount: 1, checksumCount: 2)
        case .unmap(let ranges): JournalEntry.byteCount(rangeCount: ranges.count, checksumCount: 0)
        }
    }
}
