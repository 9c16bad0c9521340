// SPDX-License-Identifier: Apache-2.0
package import Wire

/// A map from block to a small plain value, for the indexes that are asked about every block of every command.
///
/// Open addressing with linear probing in two flat arrays: a look-up is one multiplication and, as a rule, one cache
/// line. Removal shifts later entries back instead of leaving tombstones, so that a table that is filled and trimmed
/// for hours stays as fast as a new one. Values are plain data: a removed slot keeps its old bits until reused.
package struct BlockTable<Value: BitwiseCopyable> {
    /// No volume has this block: the largest has 2^34.
    private static var vacant: UInt64 { .max }

    private var keys: [UInt64] = []
    private var values: [Value] = []
    /// 64 - log2(capacity): the hash's upper bits are the slot.
    private var shift: UInt64 = 64
    package private(set) var count = 0
    /// Where the next sweep begins.
    private var sweptSlot = 0

    package init() {}

    package init(minimumCapacity: Int) {
        precondition(minimumCapacity >= 0)
        desiredCapacity = Self.capacity(holding: minimumCapacity)
    }

    /// Slots to allocate with the first entry; there is no value to fill them with before.
    private var desiredCapacity = 16

    package var isEmpty: Bool { count == 0 }

    /// Bytes held, for budgets.
    package var byteCount: Int { keys.count * Self.slotByteCount }
    package static var slotByteCount: Int { MemoryLayout<UInt64>.stride + MemoryLayout<Value>.stride }

    package subscript(_ block: BlockIndex) -> Value? {
        get {
            guard count > 0 else { return nil }
            let slot = self.slot(of: block.rawValue)
            return keys[slot] == Self.vacant ? nil : values[slot]
        }
        set {
            if let newValue { updateValue(newValue, of: block) } else { remove(block) }
        }
    }

    /// - Returns: what was there before.
    @discardableResult
    package mutating func updateValue(_ value: Value, of block: BlockIndex) -> Value? {
        let key = block.rawValue
        if keys.isEmpty { allocate(desiredCapacity, filler: value) }
        var slot = self.slot(of: key)
        guard keys[slot] == Self.vacant else {
            let old = values[slot]
            values[slot] = value
            return old
        }
        if (count + 1) * 3 > keys.count * 2 {
            grow(to: keys.count * 2, filler: value)
            slot = self.slot(of: key)
        }
        keys[slot] = key
        values[slot] = value
        count += 1
        return nil
    }

    /// Whether there was such an entry.
    @discardableResult
    package mutating func remove(_ block: BlockIndex) -> Bool {
        guard count > 0 else { return false }
        let slot = self.slot(of: block.rawValue)
        guard keys[slot] != Self.vacant else { return false }
        vacate(slot)
        return true
    }

    package mutating func removeAll() {
        self = Self()
    }

    /// Looks at each block of the range or at each slot, whichever are fewer: a trim of a whole volume costs what
    /// the table holds.
    package mutating func removeAll(in range: BlockRange) {
        guard count > 0, !range.isEmpty else { return }
        if range.count <= UInt64(keys.count) {
            for block in range.start.rawValue..<range.end.rawValue { remove(BlockIndex(block)) }
            return
        }
        let doomed = keys.filter { $0 != Self.vacant && range.contains(BlockIndex($0)) }
        guard doomed.count < count else { return removeAll() }
        for block in doomed { remove(BlockIndex(block)) }
    }

    /// Has room for so many blocks in all.
    package mutating func reserveCapacity(_ count: Int) {
        let capacity = Self.capacity(holding: count)
        guard capacity > max(keys.count, desiredCapacity) else { return }
        desiredCapacity = capacity
        if let filler = values.first { grow(to: capacity, filler: filler) }
    }

    /// Removes what is obsolete among the next few slots, going on where the last call ended: a table that is swept by
    /// several slots for each entry that it is given stays near the size of what is not obsolete, and no call takes
    /// long. A removal elsewhere may carry an entry past the sweep, to be found the next time round.
    package mutating func sweep(slotCount: Int, _ isObsolete: (Value) -> Bool) {
        for _ in 0..<min(slotCount, keys.count) where count > 0 {
            sweptSlot &= keys.count - 1
            // Whatever moves into the slot is looked at too.
            while keys[sweptSlot] != Self.vacant, isObsolete(values[sweptSlot]) { vacate(sweptSlot) }
            sweptSlot += 1
        }
    }

    /// How many slots `firstKey` looks at.
    package var slotCount: Int { keys.count }

    /// The lowest block from this one on. Looks at each slot.
    package func firstKey(from block: BlockIndex) -> BlockIndex? {
        // Vacant slots hold the highest number.
        var lowest = Self.vacant
        for key in keys where key >= block.rawValue && key < lowest { lowest = key }
        return lowest == Self.vacant ? nil : BlockIndex(lowest)
    }

    /// In an order that another table's slots have, too: who puts many blocks of one table into another reserves room
    /// for them first, or they all land in one place.
    package func forEach<Failure: Error>(_ body: (BlockIndex, Value) throws(Failure) -> Void) throws(Failure) {
        for slot in keys.indices where keys[slot] != Self.vacant { try body(BlockIndex(keys[slot]), values[slot]) }
    }

    /// By radix, eleven bits at a time: a third of the time that comparing takes, and nobody is served meanwhile.
    package func sortedKeys(where isWanted: (Value) -> Bool = { _ in true }) -> [BlockIndex] {
        var sorted: [BlockIndex] = []
        var bits: UInt64 = 0
        for slot in keys.indices where keys[slot] != Self.vacant && isWanted(values[slot]) {
            sorted.append(BlockIndex(keys[slot]))
            bits |= keys[slot]
        }
        var other = sorted
        var shift: UInt64 = 0
        while bits >> shift != 0 {
            var starts = [Int](repeating: 0, count: 2048)
            for key in sorted { starts[Self.digit(key, shift)] += 1 }
            var start = 0
            for digit in starts.indices { (starts[digit], start) = (start, start + starts[digit]) }
            for key in sorted {
                let digit = Self.digit(key, shift)
                other[starts[digit]] = key
                starts[digit] += 1
            }
            swap(&sorted, &other)
            shift += 11
        }
        return sorted
    }

    private static func digit(_ key: BlockIndex, _ shift: UInt64) -> Int { Int(key.rawValue >> shift & 2047) }

    // MARK: Slots

    /// At most 2/3 full: a miss, the usual answer of a dirty layer, then looks at five slots on average.
    private static func capacity(holding count: Int) -> Int {
        var capacity = 16
        while capacity * 2 < count * 3 { capacity *= 2 }
        return capacity
    }

    /// Eight neighbouring blocks share a cache line, since most are written and read together; Fibonacci hashing puts
    /// such groups far apart, so that longer runs do not pile up.
    private func home(_ key: UInt64) -> Int {
        Int(((key >> 3) &* 0x9E37_79B9_7F4A_7C15) >> shift) & ~7 | Int(truncatingIfNeeded: key & 7)
    }

    /// Where the key is, or the vacant slot where it would go. The table is never full.
    private func slot(of key: UInt64) -> Int {
        precondition(key != Self.vacant)
        let mask = keys.count - 1
        var slot = home(key)
        while keys[slot] != key && keys[slot] != Self.vacant { slot = (slot + 1) & mask }
        return slot
    }

    private mutating func allocate(_ capacity: Int, filler: Value) {
        keys = [UInt64](repeating: Self.vacant, count: capacity)
        values = [Value](repeating: filler, count: capacity)
        shift = UInt64(64 - capacity.trailingZeroBitCount)
    }

    private mutating func grow(to capacity: Int, filler: Value) {
        let oldKeys = keys
        let oldValues = values
        allocate(capacity, filler: filler)
        for old in oldKeys.indices where oldKeys[old] != Self.vacant {
            let slot = self.slot(of: oldKeys[old])
            keys[slot] = oldKeys[old]
            values[slot] = oldValues[old]
        }
    }

    /// Empties a slot, then moves back each later entry of the cluster that may not be cut off from its home.
    private mutating func vacate(_ slot: Int) {
        let mask = keys.count - 1
        var hole = slot
        var next = (slot + 1) & mask
        while keys[next] != Self.vacant {
            // The entry may move if its home is not between the hole (exclusive) and where it is now.
            if (next &- home(keys[next])) & mask >= (next &- hole) & mask {
                keys[hole] = keys[next]
                values[hole] = values[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        keys[hole] = Self.vacant
        count -= 1
    }
}

extension BlockTable: Sendable where Value: Sendable {}
