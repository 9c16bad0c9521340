// SPDX-License-Identifier: Apache-2.0
package import Wire

/// Reads a whole image from the bucket and nothing else: no gateway, no local state. Goes through it in order, checks
/// everything it reads, and holds one window of 4 MiB, the nodes above it and bounded caches.
package final class ImageReader {
    package enum Content: Equatable {
        case zero
        /// 4 KiB for each block.
        case bytes([UInt8])
    }

    /// How often damaged bytes are read before the image counts as damaged.
    package static let attempts = 3

    package enum Failure: Error, Equatable {
        /// A frame is sound, but does not hold the block the map says it holds.
        case wrongBlock(BlockIndex, FrameReference)
    }

    /// A block's place: a frame, and the block's number in it.
    private struct Cell {
        var frame: FrameReference
        var position: Int
    }

    private let root: ImageRoot
    private let blockCount: UInt64
    private let reader: RangeReader
    private let codec = ZstdCodec()
    private var overlay = ImageOverlay()
    private var tableRoot: PackTableRoot?
    private var pages: FIFOCache<UInt32, PackTablePage>
    private var frames: FIFOCache<FrameReference, FrameContents>

    /// - Parameters:
    ///   - cacheByteCount: for frames that are needed again further on.
    package init(root: ImageRoot, volumeByteCount: UInt64, cacheByteCount: Int = 64 << 20, read: @escaping ObjectReader)
    {
        self.root = root
        blockCount = volumeByteCount / UInt64(Geometry.blockByteCount)
        reader = RangeReader(read: read)
        pages = FIFOCache(costLimit: 16 << 20)
        frames = FIFOCache(costLimit: cacheByteCount)
    }

    /// Hands over the image from start to end, without gaps, in runs of at most 4 MiB of data. Throws what went wrong
    /// with the image, with `read`, or in `body`; nothing unverified is ever handed over.
    package func forEachExtent(_ body: (BlockRange, Content) throws -> Void) throws {
        let packs = try root.packs.map { reference in
            let range = RangeReader.Range(
                key: BucketLayout.dataPack(reference.owner, reference.name), byteOffset: reference.directoryOffset,
                byteCount: Int(reference.directoryByteCount))
            let directory = try reader.decode(range) {
                try PackFormat.decodeDirectory($0, expecting: reference.owner, reference.name)
            }
            return (reference, directory)
        }
        overlay = ImageOverlay(packs)
        if let pointer = root.packTable {
            let node = try self.node(at: pointer)
            try node.expect(MapNode.Place(kind: .tableRoot, level: 1, index: 0))
            tableRoot = PackTableRoot(node)
        }
        // Zeros are handed over in one piece, however many nodes are absent.
        var zeros = BlockRange(start: BlockIndex(0), count: 0)
        let sink: (BlockRange, Content) throws -> Void = { blocks, content in
            if case .zero = content {
                zeros = BlockRange(start: zeros.isEmpty ? blocks.start : zeros.start, count: zeros.count + blocks.count)
                return
            }
            if !zeros.isEmpty { try body(zeros, .zero) }
            zeros.count = 0
            try body(blocks, content)
        }
        var level = MapGeometry.height(blockCount: blockCount)
        var top: MapNode?
        if let pointer = root.tree {
            let node = try self.node(at: pointer)
            try node.expect(MapNode.Place(kind: .inner, level: node.place.level, index: 0))
            level = max(level, Int(node.place.level))
            top = node
        }
        try visit(top, level: level, index: 0, sink)
        if !zeros.isEmpty { try body(zeros, .zero) }
    }

    // MARK: The tree

    /// - Parameter node: of this level, or, above the root, of a lower one; nil: nothing there.
    private func visit(
        _ node: MapNode?, level: Int, index: UInt64, _ sink: (BlockRange, Content) throws -> Void
    ) throws {
        let span = MapGeometry.blocksBelow(level: level)
        let blocks = BlockRange(start: BlockIndex(index * span), count: span)
            .intersection(BlockRange(start: BlockIndex(0), count: blockCount))
        if blocks.isEmpty { return }
        if node == nil, !overlay.hasWrites(in: blocks) { return try sink(blocks, .zero) }
        if level == 0 { return try visit(leaf: node, blocks, sink) }
        var children = [MapNode?](repeating: nil, count: InnerNode.fanOut)
        if let node, Int(node.place.level) < level {
            children[0] = node
        } else if let node {
            try readChildren(of: InnerNode(node), level: level, index: index, into: &children)
        }
        for slot in children.indices {
            try visit(children[slot], level: level - 1, index: index << 8 | UInt64(slot), sink)
            children[slot] = nil
        }
    }

    private func readChildren(
        of inner: InnerNode, level: Int, index: UInt64, into children: inout [MapNode?]
    ) throws {
        var slots: [Int] = []
        var pointers: [NodePointer] = []
        var slot = inner.firstChild(from: 0)
        while let present = slot {
            if let child = inner.child(present) {
                let row = try row(child.packIndex, .map)
                slots.append(present)
                pointers.append(
                    NodePointer(
                        owner: row.owner, pack: row.name, byteOffset: child.byteOffset, byteCount: child.byteCount,
                        checksum: child.checksum))
            }
            slot = inner.firstChild(from: present + 1)
        }
        let ranges = pointers.map {
            RangeReader.Range(
                key: BucketLayout.mapPack($0.owner, $0.pack), byteOffset: UInt64($0.byteOffset),
                byteCount: Int($0.byteCount))
        }
        try reader.forEach(ranges) { number, bytes in
            let node = try MapNodeFormat.decode(bytes, at: pointers[number], codec: codec)
            try node.expect(
                MapNode.Place(
                    kind: level == 1 ? .leaf : .inner, level: UInt8(level - 1),
                    index: index << 8 | UInt64(slots[number])))
            children[slots[number]] = node
        }
    }

    private func node(at pointer: NodePointer) throws -> MapNode {
        let range = RangeReader.Range(
            key: BucketLayout.mapPack(pointer.owner, pointer.pack), byteOffset: UInt64(pointer.byteOffset),
            byteCount: Int(pointer.byteCount))
        return try reader.decode(range) { try MapNodeFormat.decode($0, at: pointer, codec: codec) }
    }

    private func row(_ index: UInt32, _ kind: PackTableRow.Kind) throws -> PackTableRow {
        let number = PackTablePage.page(of: index)
        let page: PackTablePage
        if let cached = pages[number] {
            page = cached
        } else {
            guard let pointer = tableRoot?.pointer(toPage: number) else {
                throw EngineError.malformed(.packTable, reason: "pack \(index) is on no page")
            }
            let node = try self.node(at: pointer)
            try node.expect(MapNode.Place(kind: .tablePage, level: 0, index: UInt64(number)))
            page = PackTablePage(node)
            pages.insert(page, for: number, cost: node.byteCount)
        }
        guard let row = page.row(PackTablePage.slot(of: index)), row.kind == kind else {
            throw EngineError.malformed(.packTable, reason: "pack \(index) has no row of kind \(kind)")
        }
        return row
    }

    // MARK: One window

    private func visit(
        leaf node: MapNode?, _ window: BlockRange, _ sink: (BlockRange, Content) throws -> Void
    ) throws {
        var cells = [Cell?](repeating: nil, count: Int(window.count))
        if let node {
            let leaf = LeafNode(node)
            for number in 0..<leaf.count {
                let entry = leaf.entry(number)
                let row = try row(entry.place.packIndex, .data)
                let frame = FrameReference(
                    owner: row.owner, pack: row.name, byteOffset: entry.place.byteOffset,
                    byteCount: entry.place.byteCount)
                for step in 0..<entry.count where entry.blockInLeaf + step < cells.count {
                    cells[entry.blockInLeaf + step] = Cell(frame: frame, position: entry.firstInFrame + step)
                }
            }
        }
        overlay.replay(
            in: window,
            zero: { blocks in
                for block in blocks.start.rawValue..<blocks.end.rawValue {
                    cells[Int(block - window.start.rawValue)] = nil
                }
            },
            write: { block, frame, position in
                cells[Int(block.rawValue - window.start.rawValue)] = Cell(frame: frame, position: position)
            })
        let bytes = try read(cells, window)
        try hand(over: cells, bytes, window, sink)
    }

    private func read(_ cells: [Cell?], _ window: BlockRange) throws -> [UInt8] {
        var users: [FrameReference: [Int]] = [:]
        for (index, cell) in cells.enumerated() {
            if let cell { users[cell.frame, default: []].append(index) }
        }
        guard !users.isEmpty else { return [] }
        var bytes = [UInt8](repeating: 0, count: cells.count * Geometry.blockByteCount)
        let fill = { [self] (frame: FrameReference, contents: FrameContents) throws -> Void in
            for index in users[frame] ?? [] {
                guard let position = cells[index]?.position else { continue }
                let block = window.start.advanced(by: UInt64(index))
                guard position < contents.blocks.count, contents.blocks[position] == block else {
                    throw Failure.wrongBlock(block, frame)
                }
                copy(contents.bytes, block: position, to: &bytes, block: index)
            }
        }
        var absent: [FrameReference] = []
        for frame in users.keys {
            if let contents = frames[frame] { try fill(frame, contents) } else { absent.append(frame) }
        }
        let ranges = absent.map {
            RangeReader.Range(key: $0.key, byteOffset: UInt64($0.byteOffset), byteCount: Int($0.byteCount))
        }
        try reader.forEach(ranges) { number, stored in
            let frame = absent[number]
            let contents = try FrameFormat.decode(
                stored, expecting: PackIdentity(volume: frame.owner, name: frame.pack), codec: codec)
            try fill(frame, contents)
            // A frame that ends here or whose blocks are all behind us is not needed again.
            if let last = contents.blocks.last, last >= window.end {
                frames.insert(contents, for: frame, cost: contents.bytes.count)
            }
        }
        return bytes
    }

    private func copy(_ source: ArraySlice<UInt8>, block: Int, to target: inout [UInt8], block targetBlock: Int) {
        let size = Geometry.blockByteCount
        let start = source.startIndex + block * size
        target.replaceSubrange(targetBlock * size..<(targetBlock + 1) * size, with: source[start..<start + size])
    }

    private func hand(
        over cells: [Cell?], _ bytes: [UInt8], _ window: BlockRange, _ sink: (BlockRange, Content) throws -> Void
    ) throws {
        var index = 0
        while index < cells.count {
            let isData = cells[index] != nil
            var end = index + 1
            while end < cells.count, (cells[end] != nil) == isData { end += 1 }
            let blocks = BlockRange(start: window.start.advanced(by: UInt64(index)), count: UInt64(end - index))
            let size = Geometry.blockByteCount
            try sink(blocks, isData ? .bytes(Array(bytes[index * size..<end * size])) : .zero)
            index = end
        }
    }
}
