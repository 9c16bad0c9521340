// SPDX-License-Identifier: Apache-2.0
import TestSupport
import Testing
import Wire

@testable import Engine  // The cache is the map's own.

@Suite struct MapNodeCacheTests {
    private func pointer(_ number: Int) -> NodePointer {
        NodePointer(
            owner: FormatSamples.volume, pack: FormatSamples.name, byteOffset: UInt32(number), byteCount: 1, checksum: 0
        )
    }

    private var node: MapNode {
        MapNode(
            place: MapNode.Place(kind: .leaf, level: 0, index: 0), volume: FormatSamples.volume, birth: 1, lineage: 1,
            packIndex: 0, count: 0, words: [UInt64](repeating: 0, count: 10))
    }

    @Test func theLeastRecentlyUsedGoesFirst() {
        var cache = NodeCache(byteLimit: node.byteCount * 3)
        for number in 0..<3 {
            cache.beginUse()
            cache.insert(node, at: pointer(number))
        }
        for _ in 0..<40 { cache.beginUse() }
        #expect(cache.node(at: pointer(0)) != nil)
        cache.insert(node, at: pointer(3))
        #expect(cache.count == 3 && cache.peek(pointer(1)) == nil)
        #expect([0, 2, 3].allSatisfy { cache.peek(pointer($0)) != nil })
    }

    @Test func whatOneLookUpNeedsStaysTogether() {
        var cache = NodeCache(byteLimit: 0)
        cache.beginUse()
        for number in 0..<20 { cache.insert(node, at: pointer(number)) }
        #expect((0..<20).allSatisfy { cache.peek(pointer($0)) != nil })
        for _ in 0..<40 { cache.beginUse() }
        cache.insert(node, at: pointer(20))
        #expect(cache.count == 1 && cache.byteCount == node.byteCount)
    }

    @Test func agreesWithAModel() {
        var random = SeededRandom(seed: 21)
        var cache = NodeCache(byteLimit: node.byteCount * 10)
        var order: [Int] = []  // Oldest first.
        for _ in 0..<3000 {
            for _ in 0..<20 { cache.beginUse() }  // Nothing is protected.
            let number = random.below(25)
            let found = cache.node(at: pointer(number)) != nil
            #expect(found == order.contains(number))
            order.removeAll { $0 == number }
            order.append(number)
            if !found { cache.insert(node, at: pointer(number)) }
            if order.count > 10 { order.removeFirst() }
            #expect(cache.count == order.count && cache.byteCount == order.count * node.byteCount)
        }
    }
}
