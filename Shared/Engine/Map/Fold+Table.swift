// SPDX-License-Identifier: Apache-2.0
import Wire

extension Fold {
    /// Both are at hand now and may not be later.
    func openRoots() throws(EngineError) {
        if let pointer = cursor.tree, let root = node(pointer) {
            try root.expect(MapNode.Place(kind: .inner, level: root.place.level, index: 0))
            oldHeight = Int(root.place.level)
            oldRootRecord = TreeCursor.record(ofRoot: root, at: pointer)
        }
        guard let pointer = cursor.packTable, let rootNode = node(pointer) else { return }
        try rootNode.expect(MapNode.Place(kind: .tableRoot, level: 1, index: 0))
        let root = PackTableRoot(rootNode)
        oldTable = root
        nextIndex = root.nextIndex
        for position in 0..<root.pageCount { pagePointers[root.pageNumber(at: position)] = root.pointer(at: position) }
    }

    /// Lists the pages that change: those of packs that are new, or gained or lost live bytes.
    func queuePages() throws(EngineError) {
        for (ordinal, index) in indexOfDeltaPack.enumerated() where index != MapNode.noPackIndex {
            let pack = delta.packs[ordinal]
            newRows[index] = PackTableRow(
                owner: pack.reference.owner, name: pack.reference.name, kind: .data,
                objectByteCount: pack.reference.byteCount,
                contentByteCount: pack.blockCount * UInt64(Geometry.blockByteCount), liveByteCount: 0,
                birth: foldNumber)
        }
        var pages = Set(newRows.keys.map(PackTablePage.page))
        for (index, change) in liveChanges.total() where change != 0 { pages.insert(PackTablePage.page(of: index)) }
        if forgetsOldTree { pages.formUnion(pagePointers.keys) }
        pageQueue = pages.sorted()
    }

    /// Rewrites pages until one is missing or a pack is full; the last pack ends with the table's root.
    func foldTable() throws(EngineError) -> Step {
        while pageCursor < pageQueue.count {
            let number = pageQueue[pageCursor]
            var old: MapNode?
            if let pointer = pagePointers[number] {
                old = node(pointer)
                guard old != nil else { return fetch(missingPages()) }
            }
            try fold(page: number, old: old)
            pageCursor += 1
            if isPackFull, pageCursor < pageQueue.count { return put() }
            if isTurnOver { return .pause }
        }
        return try putLastTablePack()
    }

    private func missingPages() -> [NodePointer] {
        var needed: [NodePointer] = []
        for number in pageQueue[pageCursor...] where needed.count < Self.fetchWindow {
            if let pointer = pagePointers[number], node(pointer) == nil { needed.append(pointer) }
        }
        return needed
    }

    private func fold(page number: UInt32, old: MapNode?) throws(EngineError) {
        var rows = [PackTableRow?](repeating: nil, count: PackTablePage.rowLimit)
        if let old {
            try old.expect(MapNode.Place(kind: .tablePage, level: 0, index: UInt64(number)))
            rows = PackTablePage(old).rows
            if forgetsOldTree {
                for row in rows.compactMap({ $0 }) { release(row) }
                rows = [PackTableRow?](repeating: nil, count: PackTablePage.rowLimit)
            }
        }
        let changes = liveChanges.total()
        let first = number * UInt32(PackTablePage.rowLimit)
        for slot in rows.indices {
            let index = first + UInt32(slot)
            if let row = newRows[index] { rows[slot] = row }
            guard let change = changes[index], change != 0 else { continue }
            guard var row = rows[slot] else { throw .malformed(.packTable, reason: "pack \(index) has no row") }
            let (live, overflow) = Int64(clamping: row.liveByteCount).addingReportingOverflow(change)
            guard !overflow, live >= 0, live <= row.contentByteCount else {
                throw .malformed(.packTable, reason: "pack \(index) would have \(live) live bytes")
            }
            row.liveByteCount = UInt64(live)
            rows[slot] = row
        }
        for slot in rows.indices {
            guard let row = rows[slot], row.liveByteCount == 0 else { continue }
            release(row)
            rows[slot] = nil
        }
        pagePointers[number] = nil
        if rows.contains(where: { $0 != nil }) { try write(page: number, rows: rows) }
    }

    private func release(_ row: PackTableRow) {
        statistics.released.append(.init(owner: row.owner, name: row.name, kind: row.kind))
    }

    /// What else the new root no longer names: packs since the last fold of which nothing was needed, and packs that
    /// held only superseded pages of the table.
    func releasePacks(newTable: NodePointer?) {
        for (ordinal, index) in indexOfDeltaPack.enumerated() where index == MapNode.noPackIndex {
            let reference = delta.packs[ordinal].reference
            statistics.released.append(.init(owner: reference.owner, name: reference.name, kind: .data))
        }
        guard let newTable, let oldTable, let oldPointer = map.root.packTable else { return }
        let before = Set(([oldPointer] + (0..<oldTable.pageCount).map(oldTable.pointer)).map { PackIdentity($0) })
        let after = Set(([newTable] + pagePointers.values).map { PackIdentity($0) })
        for pack in before.subtracting(after).sorted(by: { $0.name < $1.name }) {
            statistics.released.append(.init(owner: pack.volume, name: pack.name, kind: .map))
        }
    }
}

extension PackIdentity {
    fileprivate init(_ pointer: NodePointer) { self.init(volume: pointer.owner, name: pointer.pack) }
}
