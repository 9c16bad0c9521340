// SPDX-License-Identifier: Apache-2.0

/// The kernel's generator (getrandom), for ids that must not repeat between runs and machines.
package enum Randomness {
    package static func uint64() -> UInt64 {
        var generator = SystemRandomNumberGenerator()
        return generator.next()
    }

    /// Never 0: several formats use 0 for "none".
    package static func nonzeroUInt64() -> UInt64 {
        var generator = SystemRandomNumberGenerator()
        return UInt64.random(in: 1...UInt64.max, using: &generator)
    }

    package static func bytes(count: Int) -> [UInt8] {
        precondition(count >= 0)
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
    }
}
