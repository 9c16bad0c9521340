// SPDX-License-Identifier: Apache-2.0
import Wire

/// Where a run of 1...16 blocks of one leaf is stored: 16 bytes in two little-endian words (docs/formats/map.md).
///
///     word 0   bits 63...54  first block, counted in its leaf
///                   53...50  run length - 1
///                   49...46  position of the first block in the frame
///                   45...2   birth: the fold that wrote the entry
///                    1...0   flags, 0
///     word 1   bits 63...32  index of the pack in the pack table
///                   31...13  offset of the frame in the pack, in units of 64 bytes
///                   12...2   length of the frame as stored, in units of 64 bytes
///                    1...0   flags, 0
///
/// The block comes first so that entries sort as plain numbers, and no field straddles the words. One ranged GET needs
/// no look-up in a directory. Blocks without an entry read as zeros: there is no entry that says "zero". The four flag
/// bits are for entries of a later version.
package struct MapEntry: Equatable, Sendable {
    /// Births have 44 bits.
    package static let birthLimit: UInt64 = 1 << 44

    let word0: UInt64
    let word1: UInt64

    init(word0: UInt64, word1: UInt64) {
        self.word0 = word0
        self.word1 = word1
    }

    init(blockInLeaf: Int, count: Int, firstInFrame: Int, birth: UInt64, place: FramePlace) {
        precondition(blockInLeaf >= 0 && count >= 1 && blockInLeaf + count <= Geometry.blocksPerLeaf)
        precondition(firstInFrame >= 0 && firstInFrame + count <= Geometry.blocksPerFrame)
        precondition(birth < Self.birthLimit)
        word0 =
            UInt64(blockInLeaf) << 54 | UInt64(count - 1) << 50 | UInt64(firstInFrame) << 46 | birth << 2
        word1 = place.word
    }

    var blockInLeaf: Int { Int(word0 >> 54) }
    var count: Int { Int(word0 >> 50 & 0xf) + 1 }
    var endInLeaf: Int { blockInLeaf + count }
    var firstInFrame: Int { Int(word0 >> 46 & 0xf) }
    package var birth: UInt64 { word0 >> 2 & (Self.birthLimit - 1) }
    var place: FramePlace { FramePlace(word: word1) }

    /// Throws unless a writer could have made it.
    func check() throws(EngineError) {
        guard word0 & 3 == 0, word1 & 3 == 0 else { throw .malformed(.mapNode, reason: "an entry has flags") }
        guard endInLeaf <= Geometry.blocksPerLeaf, firstInFrame + count <= Geometry.blocksPerFrame else {
            throw .malformed(.mapNode, reason: "an entry of \(count) blocks at \(blockInLeaf)")
        }
        guard place.byteCount > 0 else { throw .malformed(.mapNode, reason: "an entry with an empty frame") }
    }
}

/// A frame by its pack's index in the pack table of the same root: word 1 of an entry.
struct FramePlace: Hashable {
    let word: UInt64

    init(word: UInt64) { self.word = word }

    init(packIndex: UInt32, byteOffset: UInt32, byteCount: UInt32) {
        let unit = UInt32(FrameFormat.alignment)
        precondition(byteOffset % unit == 0 && Int(byteOffset) < FrameFormat.offsetLimit)
        precondition(byteCount % unit == 0 && byteCount > 0 && Int(byteCount) < FrameFormat.lengthLimit)
        word = UInt64(packIndex) << 32 | UInt64(byteOffset / unit) << 13 | UInt64(byteCount / unit) << 2
    }

    var packIndex: UInt32 { UInt32(word >> 32) }
    var byteOffset: UInt32 { UInt32(word >> 13 & 0x7ffff) * UInt32(FrameFormat.alignment) }
    var byteCount: UInt32 { UInt32(word >> 2 & 0x7ff) * UInt32(FrameFormat.alignment) }
}
