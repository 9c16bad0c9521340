// SPDX-License-Identifier: Apache-2.0

/// SplitMix64: the step between the states of a generator, and the function that makes a value of a state. The function
/// is a bijection, so that different words never collide, and spreads every bit over all.
package enum SplitMix64 {
    package static let step: UInt64 = 0x9e37_79b9_7f4a_7c15

    package static func finish(_ state: UInt64) -> UInt64 {
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
