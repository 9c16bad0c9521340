// SPDX-License-Identifier: Apache-2.0

/// Random numbers that depend on the seed, the rule and the index of the request and on nothing else, so that what
/// happens to one request does not depend on how many numbers others have drawn.
struct FaultDice: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64, rule: Int, request: Int) {
        var mixed = Self.mix(seed)
        mixed = Self.mix(mixed ^ UInt64(truncatingIfNeeded: rule) &* 0x9e37_79b9_7f4a_7c15)
        state = Self.mix(mixed ^ UInt64(truncatingIfNeeded: request))
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        return Self.mix(state)
    }

    /// A number from 0 up to 1.
    mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

    private static func mix(_ input: UInt64) -> UInt64 {
        var value = input
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
