// SPDX-License-Identifier: Apache-2.0
import FuzzSupport
import Wire

// Most formats are internal to the engine: its parts have no other door to fuzz them through.
@testable import Engine

/// Everything that the engine reads from a bucket or from its read cache, and the plans that uploaders get.
///
/// The first byte names the format, the second says whether checksums are made right first. What decodes must encode
/// to something that decodes to the same.
@main
enum FuzzPack: FuzzTarget {
    static let identity = PackIdentity(
        volume: VolumeID(rawValue: 0x0123_4567_89ab_cdef), name: PackName(generation: 2, start: 3, number: 0x104))

    private static let targets: [@Sendable ([UInt8], _ isSealed: Bool) -> Void] = [
        ObjectFormats.frame, ObjectFormats.pack, ObjectFormats.directory, ObjectFormats.plan, ObjectFormats.mapNode,
        ObjectFormats.mapPack, ObjectFormats.frameContents, CacheFormats.region, CacheFormats.tail, CacheFormats.frame,
        CacheFormats.scan, RecordFormats.head, RecordFormats.snapshot, RecordFormats.group, RecordFormats.pending,
        RecordFormats.localState, RecordFormats.marker, RecordFormats.cacheSettings, RecordFormats.gatewayIdentity,
    ]

    static func run(_ input: [UInt8]) {
        guard input.count >= 2 else { return }
        targets[Int(input[0]) % targets.count](Array(input[2...]), input[1] & 1 == 0)
    }
}
