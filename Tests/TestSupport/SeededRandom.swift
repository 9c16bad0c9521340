// SPDX-License-Identifier: Apache-2.0
import Wire

/// The generator of all tests (SplitMix64): the same seed gives the same values on every machine, so a failure is
/// repeated by its seed alone.
package struct SeededRandom: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= SplitMix64.step
        return SplitMix64.finish(state)
    }

    /// A value below `limit`, which must not be 0.
    package mutating func below(_ limit: Int) -> Int {
        precondition(limit > 0)
        return Int(truncatingIfNeeded: next().multipliedFullWidth(by: UInt64(limit)).high)
    }

    /// True once in `count` times on average; never if `count` is 0.
    package mutating func oneIn(_ count: Int) -> Bool { count > 0 && below(count) == 0 }

    package mutating func bytes(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var index = 0
        while index < count {
            var word = next()
            for _ in 0..<min(8, count - index) {
                bytes[index] = UInt8(truncatingIfNeeded: word)
                word >>= 8
                index += 1
            }
        }
        return bytes
    }
}
