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
        case cacheRegion, cachedFrame, cacheSettings
    }

    package enum Disposition: Sendable { case refuse, failMedium }

    package var disposition: Disposition {
        switch self {
        case .newerFormat: .refuse
        case .malformed, .checksumMismatch, .misplaced, .zstd, .tooLarge: .failMedium
        }
    }
}
