// SPDX-License-Identifier: Apache-2.0
import Engine
import TestSupport
import Wire

/// A pack to build in tests: a contiguous frame, a scattered one, and a run of zeros.
struct PackSample {
    let volume = VolumeID(rawValue: 0x1234)
    let name = PackName(generation: 1, start: 2, number: 3)
    let blocks: [UInt8]
    let plan: PackPlan
    var key: ObjectKey { BucketLayout.dataPack(volume, name) }

    init(seed: UInt64 = 1) {
        var random = SeededRandom(seed: seed)
        let indexes: [[UInt64]] = [[100, 101, 102, 103], [7000, 7010]]
        var blocks: [UInt8] = []
        var frames: [PackPlan.Frame] = []
        for frame in indexes {
            var checksums: [UInt32] = []
            for index in frame {
                // Half of each block repeats, so that compression has something to do.
                let block = random.bytes(2048) + [UInt8](repeating: UInt8(index % 251), count: 2048)
                checksums.append(CRC32C.checksum(block))
                blocks += block
            }
            frames.append(PackPlan.Frame(blocks: frame.map { BlockIndex($0) }, checksums: checksums))
        }
        self.blocks = blocks
        plan = PackPlan(
            volume: volume, name: name, firstSequence: JournalSequence(10), lastSequence: JournalSequence(20),
            compressionLevel: 1, frames: frames, zeroRuns: [BlockRange(start: BlockIndex(500), count: 9)])
    }
}
