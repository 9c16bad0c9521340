// SPDX-License-Identifier: Apache-2.0
import Wire

extension Fold {
    /// The level of the new root; a volume that has grown gets levels on top.
    var height: Int { max(MapGeometry.height(blockCount: blockCount), oldHeight) }

    /// Rewrites the nodes of one level above the changed ones below, until a node is missing, a pack is full, or all
    /// are done (nil).
    func foldInner(level: Int) throws(EngineError) -> Step? {
        if changeCursor == 0, changesAbove.isEmpty { liftOldRoot(to: level) }
        while changeCursor < changes.count {
            let index = changes[changeCursor].index >> 8
            switch try cursor.inner(level: level, index: index, node) {
            case .missing: return fetch(try planInner(level: level))
            case .found(let old): try fold(level: level, index: index, old: old)
            }
            if isPackFull { return put() }
            if isTurnOver { return .pause }
        }
        changes = changesAbove
        changesAbove = []
        changeCursor = 0
        return nil
    }

    /// One level above the old root, the old root is a child like others: if nothing below it changed it must still
    /// be there.
    private func liftOldRoot(to level: Int) {
        guard level == oldHeight + 1, let oldRootRecord, changes.first?.index != 0 else { return }
        changes.insert((0, oldRootRecord), at: 0)
    }

    private func planInner(level: Int) throws(EngineError) -> [NodePointer] {
        var needed: [NodePointer] = []
        var position = changeCursor
        while position < changes.count, needed.count < Self.fetchWindow {
            let index = changes[position].index >> 8
            if case .missing(let pointer) = try cursor.inner(level: level, index: index, node),
                !needed.contains(pointer)
            {
                needed.append(pointer)
            }
            while position < changes.count, changes[position].index >> 8 == index { position += 1 }
        }
        return needed
    }

    private func fold(
        level: Int, index: UInt64, old: (record: ChildRecord, node: MapNode)?
    ) throws(EngineError) {
        var children = [ChildRecord?](repeating: nil, count: InnerNode.fanOut)
        if let old {
            let inner = InnerNode(old.node)
            for slot in children.indices { children[slot] = inner.child(slot) }
            liveChanges.add(-Int64(old.record.byteCount), to: old.record.packIndex)
        }
        while changeCursor < changes.count, changes[changeCursor].index >> 8 == index {
            let change = changes[changeCursor]
            children[Int(change.index & 0xff)] = change.record
            changeCursor += 1
        }
        let present = children.compactMap { $0 }
        guard !present.isEmpty else {
            changesAbove.append((index, nil))
            return
        }
        let record = try write(
            MapNode.Place(kind: .inner, level: UInt8(level), index: index), count: present.count,
            words: InnerNode.words(children), liveByteCount: present.reduce(0) { $0 + $1.liveByteCount },
            isWorthCaching: true)
        changesAbove.append((index, record))
        statistics.innerNodesWritten += 1
    }
}
