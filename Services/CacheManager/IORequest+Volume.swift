// SPDX-License-Identifier: Apache-2.0
package import Engine
package import Messages
package import SCSI
import Wire

/// What the cache manager makes of an I/O message that it has decoded.
package enum IOIntake {
    case volume(VolumeRequest)
    /// Answered by `Volume.barrier`, not by a command. With the initiator port's name when a session begins.
    /// At the beginning of a session: the initiator port, and what it proved.
    case barrier(SessionStart?)
    case nexusLoss
    case deviceServer(CDB, dataOut: [UInt8])
    case check(CDB)
    case taskManagement(UnitManagement)
    /// The payload does not fit the operation, or the operation its volume's limits.
    case malformed(String)
}

/// Who begins a session.
package struct SessionStart: Equatable {
    /// Its name, ",i,0x" and the ISID.
    package let initiatorPort: String
    /// What admitted the session.
    package let access: String

    init(_ text: String) {
        let lines = text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
        initiatorPort = String(lines[0])
        access = lines.count > 1 ? String(lines[1]) : ""
    }
}

extension IORequest {
    /// The engine's form of this request. Nothing that a frontend sends is trusted: lengths are checked here, so that
    /// the engine can rely on them; ranges outside the volume are the engine's to refuse.
    package func intake(payload: UnsafeRawBufferPointer, commandByteCount: Int) -> IOIntake {
        guard payload.count == Int(payloadByteCount) else { return .malformed("payload frame of another length") }
        guard sectors.byteCount <= byteCountLimit(commandByteCount) else {
            return .malformed("more data than one command may have")
        }
        guard sectors.start <= UInt64.max - UInt64(sectors.count) else { return .malformed("sector range wraps") }
        let expected: Int
        let command: VolumeCommand
        switch operation {
        case .read: (expected, command) = (0, .read(sectors))
        case .write: (expected, command) = (sectors.byteCount, .write(sectors))
        case .writeSame:
            let isOfBlocks = sectors.isWholeBlocks(of: payload.count)
            (expected, command) = (
                isOfBlocks ? Geometry.blockByteCount : Geometry.sectorByteCount,
                .writeSame(sectors)
            )
        case .compareAndWrite:
            (expected, command) = (2 * sectors.byteCount, .compareAndWrite(sectors))
        case .compare:
            let isOneBlock = payload.count == Geometry.sectorByteCount || sectors.isWholeBlocks(of: payload.count)
            (expected, command) = (isOneBlock ? payload.count : sectors.byteCount, .compare(sectors))
        case .orWrite: (expected, command) = (sectors.byteCount, .orWrite(sectors))
        case .prefetch: (expected, command) = (0, .prefetch(sectors))
        case .flush: (expected, command) = (0, .flush)
        case .nexusBarrier, .nexusLoss, .deviceServerCommand, .check, .taskManagement:
            return unsafe unitIntake(payload)
        case .unmap:
            guard let ranges = unsafe Self.unmapRanges(payload) else { return .malformed("unmap ranges") }
            (expected, command) = (payload.count, .unmap(ranges))
        }
        guard payload.count == expected else { return .malformed("payload does not fit the operation") }
        return .volume(
            VolumeRequest(
                origin: RequestOrigin(frontend: frontend, number: number), lowestOpenNumber: lowestOpenNumber,
                nexus: nexus, command: command, forceUnitAccess: flags.contains(.forceUnitAccess)))
    }

    private func unitIntake(_ payload: UnsafeRawBufferPointer) -> IOIntake {
        switch operation {
        case .nexusBarrier:
            guard payload.count > 0 else { return .barrier(nil) }
            guard payload.count <= Self.sessionStartLimit, let text = unsafe String(validating: payload, as: UTF8.self)
            else {
                return .malformed("a beginning of a session that is too long or no text")
            }
            return .barrier(SessionStart(text))
        case .nexusLoss: return payload.count == 0 ? .nexusLoss : .malformed("the end of a nexus with payload")
        case .deviceServerCommand:
            guard let cdb = unsafe Self.cdb(payload), payload.count <= CDB.byteCount + Self.parameterDataLimit else {
                return .malformed("no CDB, or too much data for one that changes no block")
            }
            return .deviceServer(cdb, dataOut: unsafe [UInt8](payload[CDB.byteCount...]))
        case .check:
            guard let cdb = unsafe Self.cdb(payload), payload.count == CDB.byteCount else {
                return .malformed("no CDB")
            }
            return .check(cdb)
        case .taskManagement:
            guard payload.count == 1, let function = unsafe UnitManagement(rawValue: payload[0]) else {
                return .malformed("a task management function that is none of a unit")
            }
            return .taskManagement(function)
        default: return .malformed("an operation of another kind")
        }
    }

    private static func cdb(_ payload: UnsafeRawBufferPointer) -> CDB? {
        guard payload.count >= CDB.byteCount else { return nil }
        return unsafe CDB(bytes: RawSpan(_unsafeBytes: payload))
    }

    /// RFC 7143 §4.2.7.2 allows names of 223 bytes, `,i,0x` and 12 digits follow; and names of users are as long.
    private static var sessionStartLimit: Int { 512 }
    /// The length fields of parameter lists have 16 bits.
    private static var parameterDataLimit: Int { 65_535 }

    /// What is written has to fit the journal; what is read, a message.
    private func byteCountLimit(_ commandByteCount: Int) -> Int {
        switch operation {
        case .read: MessageLimits.frameByteCount
        case .prefetch, .check, .flush: .max
        case .write, .writeSame, .unmap, .compareAndWrite, .compare, .orWrite: commandByteCount
        case .nexusBarrier, .nexusLoss, .deviceServerCommand, .taskManagement: 0
        }
    }

    /// More than SCSI's UNMAP parameter list can carry (its length field has 16 bits, 16 bytes a descriptor).
    private static var unmapRangeLimit: Int { 4096 }

    /// 16 bytes per range, little-endian: start sector (8), sector count (4), zero (4).
    private static func unmapRanges(_ payload: UnsafeRawBufferPointer) -> [SectorRange]? {
        guard payload.count % 16 == 0, payload.count <= unmapRangeLimit * 16 else { return nil }
        var ranges: [SectorRange] = []
        ranges.reserveCapacity(payload.count / 16)
        for offset in stride(from: 0, to: payload.count, by: 16) {
            let start = unsafe UInt64(littleEndian: payload.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            let count = unsafe UInt32(littleEndian: payload.loadUnaligned(fromByteOffset: offset + 8, as: UInt32.self))
            let zero = unsafe payload.loadUnaligned(fromByteOffset: offset + 12, as: UInt32.self)
            guard zero == 0, start <= UInt64.max - UInt64(count) else { return nil }
            ranges.append(SectorRange(start: start, count: count))
        }
        return ranges
    }
}

extension VolumeReply {
    /// Status and information for the frontend; the data of a read travels as payload.
    package var status: (IOReply.Status, information: UInt64) {
        switch self {
        case .good, .data: (.good, 0)
        case .miscompare(let byteOffset): (.miscompare, UInt64(byteOffset))
        case .aborted: (.aborted, 0)
        case .busy: (.busy, 0)
        case .outOfRange: (.outOfRange, 0)
        case .mediumError(let sector): (.mediumError, sector)
        case .writeError: (.writeError, 0)
        case .fenced: (.fenced, 0)
        }
    }
}
