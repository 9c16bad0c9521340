// SPDX-License-Identifier: Apache-2.0
import Platform

/// Where a frame lies in the cache: in which region (the cache's own number for it) and where in its file. Both in
/// bytes, multiples of `CachedFrameFormat.alignment`.
struct CacheLocation: Hashable {
    var region: Int
    var byteOffset: Int
    var byteCount: Int
}

/// What the cache holds: an open-addressing table of 12-byte entries, at most three quarters full, so 16 bytes a
/// frame. Its size is fixed by a byte budget; whoever inserts checks `isFull` first. Keys are 44 bits of a frame's
/// hash: what is found is confirmed by the frame's own header, so a collision costs one read in millions.
///
/// An entry is three words: 32 bits of the key; 12 bits of the key, 20 of the region; 19 bits of the offset, 11 of the
/// length (both in units of 64 bytes), 2 of a counter of uses. An empty entry has length 0.
struct CacheIndex {
    static let entryByteCount = 12
    static let largestRegionNumber = 1 << 20 - 1
    static let mostUses = 3

    private let words: ZeroedWords
    private let slotCount: Int
    /// The most frames it holds.
    let limit: Int
    private(set) var count = 0

    /// - Parameter limit: in frames; a third more slots are made.
    init(limit: Int) {
        precondition(limit > 0)
        self.limit = limit
        slotCount = limit + (limit + 2) / 3
        words = ZeroedWords(count: slotCount * 3)
    }

    var byteCount: Int { slotCount * Self.entryByteCount }
    var isFull: Bool { count >= limit }

    // MARK: Looking

    func location(of hash: UInt64) -> CacheLocation? { slot(of: hash).map(location(in:)) }

    /// nil if the frame is not kept, or kept elsewhere.
    func uses(of hash: UInt64, at location: CacheLocation) -> Int? {
        slot(of: hash, at: location).map { Int(words[$0 * 3 + 2] & 3) }
    }

    // MARK: Changing

    /// In place of what was kept under the same key.
    mutating func insert(_ hash: UInt64, at location: CacheLocation, uses: Int) {
        precondition(location.region <= Self.largestRegionNumber && location.byteCount > 0)
        precondition(location.byteOffset < CacheLimits.largestRegionByteCount && location.byteCount < 64 << 11)
        var slot = home(of: Self.key(hash))
        while !isEmpty(slot), key(in: slot) != Self.key(hash) { slot = next(slot) }
        if isEmpty(slot) {
            precondition(!isFull)
            count += 1
        }
        let key = Self.key(hash)
        words[slot * 3] = UInt32(truncatingIfNeeded: key)
        words[slot * 3 + 1] = UInt32(key >> 32) << 20 | UInt32(location.region)
        words[slot * 3 + 2] =
            UInt32(location.byteOffset / 64) << 13 | UInt32(location.byteCount / 64) << 2
            | UInt32(min(max(uses, 0), Self.mostUses))
    }

    mutating func setUses(_ uses: Int, of hash: UInt64, at location: CacheLocation) {
        guard let slot = slot(of: hash, at: location) else { return }
        words[slot * 3 + 2] = words[slot * 3 + 2] & ~3 | UInt32(min(max(uses, 0), Self.mostUses))
    }

    /// - Returns: false if the frame was not kept there.
    @discardableResult
    mutating func remove(_ hash: UInt64, at location: CacheLocation) -> Bool {
        guard let slot = slot(of: hash, at: location) else { return false }
        empty(slot)
        return true
    }

    /// Walks through all of the table: for regions whose own list of frames cannot be had.
    mutating func removeAll(in regions: Set<Int>) {
        var slot = 0
        while slot < slotCount {
            // What moves up into an emptied slot is looked at next.
            if !isEmpty(slot), regions.contains(location(in: slot).region) { empty(slot) } else { slot += 1 }
        }
    }

    // MARK: Slots

    private static func key(_ hash: UInt64) -> UInt64 { hash >> 20 }
    private func home(of key: UInt64) -> Int {
        Int((key << 20).multipliedFullWidth(by: UInt64(slotCount)).high)
    }
    private func next(_ slot: Int) -> Int { slot + 1 == slotCount ? 0 : slot + 1 }
    private func isEmpty(_ slot: Int) -> Bool { words[slot * 3 + 2] & 0x1ffc == 0 }
    private func key(in slot: Int) -> UInt64 {
        UInt64(words[slot * 3]) | UInt64(words[slot * 3 + 1] >> 20) << 32
    }

    private func location(in slot: Int) -> CacheLocation {
        let place = words[slot * 3 + 2]
        return CacheLocation(
            region: Int(words[slot * 3 + 1] & 0xf_ffff), byteOffset: Int(place >> 13) * 64,
            byteCount: Int(place >> 2 & 0x7ff) * 64)
    }

    private func slot(of hash: UInt64) -> Int? {
        let key = Self.key(hash)
        var slot = home(of: key)
        while !isEmpty(slot) {
            if self.key(in: slot) == key { return slot }
            slot = next(slot)
        }
        return nil
    }

    private func slot(of hash: UInt64, at wanted: CacheLocation) -> Int? {
        guard let slot = slot(of: hash), location(in: slot) == wanted else { return nil }
        return slot
    }

    /// Entries behind it move up where they may, so that no look-up ends early.
    private mutating func empty(_ emptied: Int) {
        var hole = emptied
        var slot = next(hole)
        while !isEmpty(slot) {
            let home = home(of: key(in: slot))
            let mayMove = slot > hole ? home <= hole || home > slot : home <= hole && home > slot
            if mayMove {
                for word in 0..<3 { words[hole * 3 + word] = words[slot * 3 + word] }
                hole = slot
            }
            slot = next(slot)
        }
        for word in 0..<3 { words[hole * 3 + word] = 0 }
        count -= 1
    }
}
