// SPDX-License-Identifier: Apache-2.0
import Wire

/// Why bytes from a disk, a bucket or a peer are not what they claim to be. Callers act on `disposition`.
package enum EngineError: Error, Equatable, Sendable {
    /// Decoding failed: which format, and what is wrong with it.
    case malformed(FormatName, reason: String)
    /// Written by a newer program.
    case newerFormat(FormatName, version: Int)
    case checksumMismatch(FormatName, expected: UInt32, found: UInt32)
    /// Whole and sound, but of another volume, pack or block than asked for.
    case misplaced(FormatName, reason: String)
    case zstd(code: Int)
    case tooLarge(FormatName, byteCount: Int)

    package enum FormatName: String, Sendable {
        case journal, frame, frameContents, pack, packDirectory, packPlan, mapNode, mapPack, packTable
        case head, snapshot, snapshotGroup, pendingSnapshot, localState, standby, formatMarker, gatewayIdentity
        case cacheRegion, cachedFrame, cacheSettings, unitState
    }

    package enum Disposition: Sendable { case refuse, failMedium }

    package var disposition: Disposition {
        switch self {
        case .newerFormat: .refuse
        case .malformed, .checksumMismatch, .misplaced, .zstd, .tooLarge: .failMedium
        }
    }
}

extension EngineError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .malformed(let format, let reason): "damaged \(format.noun): \(reason)"
        case .newerFormat(let format, let version):
            "the \(format.noun) has format version \(version), which is newer than this program; update it"
        case .checksumMismatch(let format, let expected, let found):
            "damaged \(format.noun): checksum \(Self.hexadecimal(found)) instead of \(Self.hexadecimal(expected))"
        case .misplaced(let format, let reason): "the wrong \(format.noun): \(reason)"
        case .zstd(let code): "compressed data that zstd refuses with code \(code)"
        case .tooLarge(let format, let byteCount): "a \(format.noun) of \(byteCount) bytes is larger than any may be"
        }
    }

    private static func hexadecimal(_ checksum: UInt32) -> String { "0x" + String(checksum, radix: 16) }
}

extension EngineError.FormatName {
    fileprivate var noun: String {
        switch self {
        case .journal: "journal"
        case .frame, .cachedFrame: "frame"
        case .frameContents: "frame's contents"
        case .pack: "pack"
        case .packDirectory: "pack directory"
        case .packPlan: "pack plan"
        case .mapNode: "map node"
        case .mapPack: "map pack"
        case .packTable: "pack table"
        case .head: "HEAD"
        case .snapshot: "snapshot record"
        case .snapshotGroup: "group record"
        case .pendingSnapshot: "promised snapshot"
        case .localState: "local state"
        case .standby: "standby record"
        case .formatMarker: "format marker"
        case .gatewayIdentity: "gateway identity"
        case .cacheRegion: "cache region"
        case .cacheSettings: "cache settings"
        case .unitState: "state of a logical unit"
        }
    }
}
