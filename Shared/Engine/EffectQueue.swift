// SPDX-License-Identifier: Apache-2.0

/// The effects that wait for the driver, and the source of their tokens.
struct EffectQueue {
    private(set) var waiting: [Effect] = []
    private var lastToken: UInt64 = 0

    mutating func append(_ effect: Effect) { waiting.append(effect) }

    mutating func nextToken() -> EffectToken {
        lastToken += 1
        return EffectToken(rawValue: lastToken)
    }

    mutating func drain(into effects: inout [Effect]) {
        effects.append(contentsOf: waiting)
        waiting.removeAll(keepingCapacity: true)
    }
}
