// SPDX-License-Identifier: Apache-2.0

/// Keeps the values put in last, up to a total cost. For readers that go through an image once, in order, where
/// recency of use adds nothing to recency of arrival.
struct FIFOCache<Key: Hashable, Value> {
    let costLimit: Int
    private var cost = 0
    private var values: [Key: (value: Value, cost: Int)] = [:]
    private var queue: [Key] = []
    private var head = 0

    init(costLimit: Int) { self.costLimit = costLimit }

    subscript(_ key: Key) -> Value? { values[key]?.value }

    mutating func insert(_ value: Value, for key: Key, cost: Int) {
        guard values[key] == nil else { return }
        values[key] = (value, cost)
        queue.append(key)
        self.cost += cost
        while self.cost > costLimit, head < queue.count {
            self.cost -= values.removeValue(forKey: queue[head])?.cost ?? 0
            head += 1
        }
        if head > 1024, head * 2 > queue.count {
            queue.removeFirst(head)
            head = 0
        }
    }
}
