// SPDX-License-Identifier: Apache-2.0

/// The unit attentions pending for one I_T nexus on one logical unit, oldest first: each at most once, and no more than
/// 16.
package struct UnitAttentionQueue: Sendable {
    private static let capacity = 16
    private var entries = InlineArray<16, UInt16>(repeating: 0)
    package private(set) var count = 0

    /// The queue of a new nexus: its first command learns that the unit was powered on, or that the nexus was lost.
    package init(first attention: UnitAttention = .powerOnOccurred) { post(attention) }

    package var isEmpty: Bool { count == 0 }

    /// A reset replaces what is pending, since it says more. A full queue is replaced too, by the attention that tells
    /// the initiator to assume everything has changed: none may be lost unnoticed.
    package mutating func post(_ attention: UnitAttention) {
        if attention.isReset { count = 0 }
        if contains(attention) { return }
        guard count < Self.capacity else {
            count = 0
            return post(.powerOnResetOrBusDeviceReset)
        }
        entries[count] = attention.rawValue
        count += 1
    }

    package mutating func takeFirst() -> UnitAttention? {
        guard count > 0 else { return nil }
        let first = UnitAttention(rawValue: entries[0])
        removeEntry(at: 0)
        return first
    }

    package func contains(_ attention: UnitAttention) -> Bool {
        for index in 0..<count where entries[index] == attention.rawValue { return true }
        return false
    }

    package mutating func remove(_ attention: UnitAttention) {
        for index in 0..<count where entries[index] == attention.rawValue { return removeEntry(at: index) }
    }

    private mutating func removeEntry(at position: Int) {
        for index in position..<(count - 1) { entries[index] = entries[index + 1] }
        count -= 1
    }
}
