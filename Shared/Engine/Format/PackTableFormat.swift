// SPDX-License-Identifier: Apache-2.0
package import Wire

/// A pack that a root's tree uses: 56 bytes.
package struct PackTableRow: Hashable, Sendable {
    package enum Kind: UInt8, Sendable { case data = 1, map = 2 }
    package var owner: VolumeID
    package var name: PackName
    package var kind: Kind
    /// The object's size.
    package var objectByteCount: UInt64
    /// What `liveByteCount` is while nothing in the pack is superseded: data packs 4096 for each block, map packs
    /// the stored nodes. Live by content is what repacking goes by; times object size it estimates stored bytes.
    package var contentByteCount: UInt64
    package var liveByteCount: UInt64
    /// The fold that listed it.
    package var birth: UInt64

    package init(
        owner: VolumeID, name: PackName, kind: Kind, objectByteCount: UInt64, contentByteCount: UInt64,
        liveByteCount: UInt64, birth: UInt64
    ) {
        self.owner = owner
        self.name = name
        self.kind = kind
        self.objectByteCount = objectByteCount
        self.contentByteCount = contentByteCount
        self.liveByteCount = liveByteCount
        self.birth = birth
    }
}

/// 1,024 rows of the pack table by index.
///
///     words 0 ..< 16  bitmap of the rows that are there
///     then per row    word 0  owner
///                     word 1  name: generation << 32 | start
///                     word 2  name: number << 32 | kind
///                     word 3  size of the object
///                     word 4  content bytes
///                     word 5  live bytes
///                     word 6  birth
struct PackTablePage {
    static let rowLimit = 1024
    static let bitmapWords = rowLimit / 64
    static let rowWords = 7

    let node: MapNode
    init(_ node: MapNode) { self.node = node }

    static func page(of packIndex: UInt32) -> UInt32 { packIndex / UInt32(rowLimit) }
    static func slot(of packIndex: UInt32) -> Int { Int(packIndex % UInt32(rowLimit)) }

    func row(_ slot: Int) -> PackTableRow? {
        guard PresenceBitmap.contains(slot, in: node.words) else { return nil }
        let base = Self.bitmapWords + PresenceBitmap.rank(of: slot, in: node.words) * Self.rowWords
        let words = node.words
        // `check` has seen to the kind.
        let kind = PackTableRow.Kind(rawValue: UInt8(truncatingIfNeeded: words[base + 2])) ?? .data
        return PackTableRow(
            owner: VolumeID(rawValue: words[base]),
            name: PackName(
                generation: UInt32(words[base + 1] >> 32), start: UInt32(truncatingIfNeeded: words[base + 1]),
                number: UInt32(words[base + 2] >> 32)),
            kind: kind, objectByteCount: words[base + 3], contentByteCount: words[base + 4],
            liveByteCount: words[base + 5], birth: words[base + 6])
    }

    /// All 1,024 slots.
    var rows: [PackTableRow?] { (0..<Self.rowLimit).map(row) }

    static func words(_ rows: [PackTableRow?]) -> [UInt64] {
        precondition(rows.count == rowLimit)
        var words = [UInt64](repeating: 0, count: bitmapWords)
        for (slot, row) in rows.enumerated() {
            guard let row else { continue }
            words[slot / 64] |= 1 << UInt64(slot % 64)
            words.append(row.owner.rawValue)
            words.append(UInt64(row.name.generation) << 32 | UInt64(row.name.start))
            words.append(UInt64(row.name.number) << 32 | UInt64(row.kind.rawValue))
            words.append(row.objectByteCount)
            words.append(row.contentByteCount)
            words.append(row.liveByteCount)
            words.append(row.birth)
        }
        return words
    }

    func check() throws(EngineError) {
        guard node.count > 0, PresenceBitmap.count(capacity: Self.rowLimit, in: node.words) == node.count else {
            throw .malformed(.packTable, reason: "a page's bitmap is not of \(node.count) rows")
        }
        for rank in 0..<node.count {
            let base = Self.bitmapWords + rank * Self.rowWords
            let kind = UInt32(truncatingIfNeeded: node.words[base + 2])
            guard kind == 1 || kind == 2 else { throw .malformed(.packTable, reason: "a row of kind \(kind)") }
            guard node.words[base + 5] <= node.words[base + 4], node.words[base + 5] > 0 else {
                throw .malformed(.packTable, reason: "a row with \(node.words[base + 5]) live bytes")
            }
        }
    }
}

/// The pack table's top: where its pages are, and the next index to give. An index is given once and never again, so
/// an entry can not come to mean another pack; pages whose packs are all gone are simply not there.
///
///     word 0          next index
///     then per page   word 0  owner of the map pack it lies in
///                     word 1  name: generation << 32 | start
///                     word 2  name: number << 32 | page number
///                     word 3  offset << 32 | length
///                     word 4  checksum
struct PackTableRoot {
    static let headWords = 1
    static let pageWords = 5

    let node: MapNode
    init(_ node: MapNode) { self.node = node }

    var nextIndex: UInt32 { UInt32(truncatingIfNeeded: node.words[0]) }
    var pageCount: Int { node.count }

    func pageNumber(at position: Int) -> UInt32 {
        UInt32(truncatingIfNeeded: node.words[Self.headWords + position * Self.pageWords + 2])
    }

    func pointer(at position: Int) -> NodePointer {
        let base = Self.headWords + position * Self.pageWords
        let words = node.words
        return NodePointer(
            owner: VolumeID(rawValue: words[base]),
            pack: PackName(
                generation: UInt32(words[base + 1] >> 32), start: UInt32(truncatingIfNeeded: words[base + 1]),
                number: UInt32(words[base + 2] >> 32)),
            byteOffset: UInt32(words[base + 3] >> 32), byteCount: UInt32(truncatingIfNeeded: words[base + 3]),
            checksum: UInt32(truncatingIfNeeded: words[base + 4]))
    }

    func pointer(toPage page: UInt32) -> NodePointer? {
        var low = 0
        var high = pageCount
        while low < high {
            let middle = (low + high) / 2
            if pageNumber(at: middle) >= page { high = middle } else { low = middle + 1 }
        }
        return low < pageCount && pageNumber(at: low) == page ? pointer(at: low) : nil
    }

    static func words(nextIndex: UInt32, pages: [(number: UInt32, pointer: NodePointer)]) -> [UInt64] {
        var words = [UInt64(nextIndex)]
        for (number, pointer) in pages {
            words.append(pointer.owner.rawValue)
            words.append(UInt64(pointer.pack.generation) << 32 | UInt64(pointer.pack.start))
            words.append(UInt64(pointer.pack.number) << 32 | UInt64(number))
            words.append(UInt64(pointer.byteOffset) << 32 | UInt64(pointer.byteCount))
            words.append(UInt64(pointer.checksum))
        }
        return words
    }

    func check() throws(EngineError) {
        guard node.words[0] <= UInt64(UInt32.max), node.place.index == 0 else {
            throw .malformed(.packTable, reason: "next index \(node.words[0])")
        }
        for position in 0..<pageCount {
            let number = pageNumber(at: position)
            guard position == 0 || pageNumber(at: position - 1) < number,
                UInt64(number) * UInt64(PackTablePage.rowLimit) < UInt64(nextIndex),
                node.words[Self.headWords + position * Self.pageWords + 4] <= UInt64(UInt32.max)
            else { throw .malformed(.packTable, reason: "page \(number) out of order") }
        }
    }
}
