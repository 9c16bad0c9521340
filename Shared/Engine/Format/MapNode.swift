// SPDX-License-Identifier: Apache-2.0
import Wire

/// A node of the map or of the pack table, verified and decompressed. Its contents stay an array of words that is
/// searched in place: there are up to a thousand entries in a leaf and nobody wants objects for them.
final class MapNode {
    enum Kind: UInt8 { case leaf = 1, inner = 2, tablePage = 3, tableRoot = 4 }

    /// Where the node belongs: checked on every way to it, so that a node from elsewhere is never believed.
    struct Place: Equatable {
        var kind: Kind
        /// Leaf 0, inner 1...3; the table's page 0, its root 1.
        var level: UInt8
        /// Counted from the start of the volume, or of the table, in nodes of this level.
        var index: UInt64
    }

    let place: Place
    /// Who wrote it: another volume's id when this volume was made from a snapshot.
    let volume: VolumeID
    /// The fold that wrote it, and the lineage in which that fold counts.
    let birth: UInt64
    let lineage: UInt64
    /// The pack-table index of the map pack that holds it; for nodes of the table, which no table lists, all ones.
    let packIndex: UInt32
    /// Entries, children or rows.
    let count: Int
    let words: [UInt64]

    init(
        place: Place, volume: VolumeID, birth: UInt64, lineage: UInt64, packIndex: UInt32, count: Int, words: [UInt64]
    ) {
        self.place = place
        self.volume = volume
        self.birth = birth
        self.lineage = lineage
        self.packIndex = packIndex
        self.count = count
        self.words = words
    }

    static let noPackIndex = UInt32.max

    /// Memory held, for the cache's budget.
    var byteCount: Int { words.count * 8 + 160 }

    func expect(_ expected: Place) throws(EngineError) {
        guard place == expected else {
            throw .misplaced(
                .mapNode,
                reason: "\(place.kind) \(place.level)/\(place.index) for \(expected.kind) "
                    + "\(expected.level)/\(expected.index)")
        }
    }
}

/// A sorted array in which some of `capacity` numbered slots are present: a bitmap, then the present ones in order.
/// Inner nodes and table pages are such arrays.
enum PresenceBitmap {
    static func contains(_ slot: Int, in words: [UInt64]) -> Bool { words[slot / 64] >> UInt64(slot % 64) & 1 == 1 }

    /// How many present slots come before this one.
    static func rank(of slot: Int, in words: [UInt64]) -> Int {
        var rank = 0
        for word in 0..<slot / 64 { rank += words[word].nonzeroBitCount }
        let below: UInt64 = (1 << UInt64(slot % 64)) - 1
        return rank + (words[slot / 64] & below).nonzeroBitCount
    }

    /// The first present slot at or after this one.
    static func first(from slot: Int, capacity: Int, in words: [UInt64]) -> Int? {
        guard slot < capacity else { return nil }
        var word = slot / 64
        var bits = words[word] & ~((1 << UInt64(slot % 64)) - 1)
        while bits == 0 {
            word += 1
            guard word < capacity / 64 else { return nil }
            bits = words[word]
        }
        return word * 64 + bits.trailingZeroBitCount
    }

    static func count(capacity: Int, in words: [UInt64]) -> Int {
        words[..<(capacity / 64)].reduce(0) { $0 + $1.nonzeroBitCount }
    }
}
