// SPDX-License-Identifier: Apache-2.0
import Wire

/// Decoded map nodes, least recently used out first.
///
/// The budget is exceeded only while the last sixteen uses need more: a look-up that needs several nodes at once must
/// find the first still there when the last arrives, or it would ask for ever.
struct NodeCache {
    private static let protectedUses: UInt64 = 16
    private static let none = -1

    private struct Slot {
        var pointer: NodePointer
        var node: MapNode
        var use: UInt64
        var newer: Int
        var older: Int
    }

    private(set) var byteLimit: Int
    private(set) var byteCount = 0
    private var slotOf: [NodePointer: Int] = [:]
    private var slots: [Slot?] = []
    private var free: [Int] = []
    private var newest = none
    private var oldest = none
    private var currentUse: UInt64 = 0

    init(byteLimit: Int) {
        precondition(byteLimit >= 0)
        self.byteLimit = byteLimit
    }

    var count: Int { slotOf.count }

    /// Starts a look-up whose nodes have to stay together.
    mutating func beginUse() { currentUse += 1 }

    mutating func node(at pointer: NodePointer) -> MapNode? {
        guard let index = slotOf[pointer], var slot = slots[index] else { return nil }
        slot.use = currentUse
        slots[index] = slot
        unlink(index)
        linkAsNewest(index)
        return slot.node
    }

    /// Without counting as a use.
    func peek(_ pointer: NodePointer) -> MapNode? { slotOf[pointer].flatMap { slots[$0]?.node } }

    mutating func insert(_ node: MapNode, at pointer: NodePointer) {
        guard slotOf[pointer] == nil else { return }
        let slot = Slot(pointer: pointer, node: node, use: currentUse, newer: Self.none, older: Self.none)
        let index: Int
        if let reused = free.popLast() {
            index = reused
            slots[index] = slot
        } else {
            index = slots.count
            slots.append(slot)
        }
        slotOf[pointer] = index
        byteCount += node.byteCount
        linkAsNewest(index)
        evict()
    }

    /// A smaller limit takes effect at once.
    mutating func resize(byteLimit: Int) {
        precondition(byteLimit >= 0)
        self.byteLimit = byteLimit
        evict()
    }

    private mutating func evict() {
        while byteCount > byteLimit, oldest != Self.none, let last = slots[oldest],
            last.use + Self.protectedUses < currentUse
        { remove(oldest) }
    }

    mutating func remove(_ pointer: NodePointer) {
        if let index = slotOf[pointer] { remove(index) }
    }

    private mutating func remove(_ index: Int) {
        guard let slot = slots[index] else { return }
        unlink(index)
        slotOf[slot.pointer] = nil
        slots[index] = nil
        free.append(index)
        byteCount -= slot.node.byteCount
    }

    private mutating func unlink(_ index: Int) {
        guard let slot = slots[index] else { return }
        if slot.newer != Self.none { slots[slot.newer]?.older = slot.older } else { newest = slot.older }
        if slot.older != Self.none { slots[slot.older]?.newer = slot.newer } else { oldest = slot.newer }
    }

    private mutating func linkAsNewest(_ index: Int) {
        slots[index]?.newer = Self.none
        slots[index]?.older = newest
        if newest != Self.none { slots[newest]?.newer = index } else { oldest = index }
        newest = index
    }
}
