// SPDX-License-Identifier: Apache-2.0
package import Wire

/// What a frontend asks of a volume. Message kind `io`: frame 1 holds n requests of `IORequest.byteCount` bytes each
/// (fixed layout, little-endian, docs/formats/bus.md), then come payload frames with the data of the requests whose
/// `payloadByteCount` is not 0, in their order; one frame may hold that of several, one behind the other. Replies
/// travel the same way with `IOReply`.
package struct IORequest: Equatable, Sendable, Codable {
    package enum Operation: UInt8, Codable, Sendable, CaseIterable {
        case read = 1
        /// Payload: the data.
        case write = 2
        /// Payload: one sector, repeated over the range; or a block of 4 KiB, over whole ones.
        case writeSame = 3
        /// Payload: 16 bytes per range: start sector (8), sector count (4), zero (4).
        case unmap = 4
        /// Payload: what must be there, then what to write, each as long as the range.
        case compareAndWrite = 5
        /// Everything acknowledged before is durable when this is answered (SYNCHRONIZE CACHE).
        case flush = 6
        /// The sender takes the nexus over: answered when no older request of it, from whichever frontend, can be
        /// applied any more; requests of it from other frontends are refused from then on. Payload: at the beginning of
        /// a session the initiator port's name, a line feed and what the initiator proved to be let in, of at most 512
        /// bytes; else none.
        case nexusBarrier = 7
        /// The nexus is gone: a barrier, after which the unit has let go of what a nexus loses.
        case nexusLoss = 8
        /// For the unit's device server. Payload: the 16 bytes of the CDB, then the command's data-out. Reply payload:
        /// the command's data-in.
        case deviceServerCommand = 9
        /// Whether the command of this CDB may run now, and whether `sectors` exist. Payload: the 16 bytes of the CDB.
        case check = 10
        /// CLEAR TASK SET, LOGICAL UNIT RESET, TARGET WARM RESET or TARGET COLD RESET for all nexuses: answered when
        /// nothing older can be applied any more. Payload: the function's code (RFC 7143 §11.5.1), one byte.
        case taskManagement = 11
        /// VERIFY. Payload: what must be there.
        case compare = 12
        /// Payload: the data to be ored with what is there.
        case orWrite = 13
        /// Brings the range into the caches.
        case prefetch = 14
    }
    package struct Flags: OptionSet, Codable, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        package static let forceUnitAccess = Flags(rawValue: 1)
        package static let disablePageOut = Flags(rawValue: 2)
        /// Sent before, and perhaps carried out: no unit attention is told in its place.
        package static let repeated = Flags(rawValue: 4)
    }

    package var volume: VolumeID
    /// Who asks; with `number` the identity of the request, the same each time it is sent (STORAGE §4).
    package var frontend: ServiceInstance
    package var number: UInt64
    /// All lower numbers of this frontend are answered and will never be sent again.
    package var lowestOpenNumber: UInt64
    /// On the cache manager's clock, milliseconds since 1970; past it the request is refused. 0 = none.
    package var deadlineMilliseconds: UInt64
    /// The I_T nexus: a hash of initiator name, ISID, target name and portal group, the same through every frontend,
    /// so that a barrier of a new session also fences what an older frontend may still have sent for it.
    package var nexus: UInt64
    package var operation: Operation
    package var flags: Flags
    package var sectors: SectorRange
    package var payloadByteCount: UInt32
    /// Where in the shared arena the payload lies, once a ring carries requests; 0 over ZeroMQ.
    package var arenaOffset: UInt64

    package init(
        volume: VolumeID, frontend: ServiceInstance, number: UInt64, lowestOpenNumber: UInt64,
        deadlineMilliseconds: UInt64, nexus: UInt64, operation: Operation, flags: Flags, sectors: SectorRange,
        payloadByteCount: UInt32, arenaOffset: UInt64 = 0
    ) {
        self.volume = volume
        self.frontend = frontend
        self.number = number
        self.lowestOpenNumber = lowestOpenNumber
        self.deadlineMilliseconds = deadlineMilliseconds
        self.nexus = nexus
        self.operation = operation
        self.flags = flags
        self.sectors = sectors
        self.payloadByteCount = payloadByteCount
        self.arenaOffset = arenaOffset
    }
}

package struct IOReply: Equatable, Sendable, Codable {
    package enum Status: UInt8, Codable, Sendable, CaseIterable {
        case good = 0
        /// `information` = byte offset of the first difference in the compare half.
        case miscompare = 1
        /// Try again later: the upload buffer is full or the volume is not serving yet.
        case busy = 2
        case outOfRange = 3
        /// `information` = the first sector that cannot be read.
        case mediumError = 4
        /// The journal's disk failed; nothing more is acknowledged.
        case writeError = 5
        /// Another gateway owns the volume now.
        case fenced = 6
        case unknownVolume = 7
        /// Past its deadline, or from a frontend instance that was revoked.
        case refused = 8
        /// The sender must say hello first (the cache manager restarted).
        case helloRequired = 9
        /// Refused by the unit's device server. Payload: the sense data, fixed format.
        case checkCondition = 10
        case reservationConflict = 11
        /// Ended by task management of another nexus: the initiator gets no answer, but a unit attention.
        case aborted = 12
    }
    package var frontend: ServiceInstance
    package var number: UInt64
    package var status: Status
    package var information: UInt64
    package var payloadByteCount: UInt32
    package var arenaOffset: UInt64

    package init(
        frontend: ServiceInstance, number: UInt64, status: Status, information: UInt64 = 0,
        payloadByteCount: UInt32 = 0, arenaOffset: UInt64 = 0
    ) {
        self.frontend = frontend
        self.number = number
        self.status = status
        self.information = information
        self.payloadByteCount = payloadByteCount
        self.arenaOffset = arenaOffset
    }
}
