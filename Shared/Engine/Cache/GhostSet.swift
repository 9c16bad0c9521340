// SPDX-License-Identifier: Apache-2.0
import Platform

/// Hashes of frames that left the cache without having been read twice: one that comes back was wanted after all.
/// Each hash has one place of 4 bytes, where the newest one wins, so what is old fades away by itself.
struct GhostSet {
    private let words: ZeroedWords

    init(count: Int) { words = ZeroedWords(count: count) }

    var byteCount: Int { words.count * 4 }

    mutating func insert(_ hash: UInt64) { words[place(of: hash)] = mark(of: hash) }

    /// - Returns: whether it was there.
    mutating func remove(_ hash: UInt64) -> Bool {
        guard words[place(of: hash)] == mark(of: hash) else { return false }
        words[place(of: hash)] = 0
        return true
    }

    private func place(of hash: UInt64) -> Int { Int(hash.multipliedFullWidth(by: UInt64(words.count)).high) }
    /// Never 0, which is an empty place.
    private func mark(of hash: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: hash) | 1 }
}
