// SPDX-License-Identifier: Apache-2.0

/// The numbers of one frontend instance's requests, drawn for all cache managers together: a request keeps its number
/// when its volume moves to another one. Confined to the loop's thread.
final class RequestNumbers {
    private var next: UInt64 = 1
    /// The lowest number that is open anywhere; nil: none is.
    var lowestKnown: () -> UInt64? = { nil }

    func draw() -> UInt64 {
        defer { next += 1 }
        return next
    }

    /// All lower numbers are closed and never sent again.
    var lowestOpen: UInt64 { lowestKnown() ?? next }
}
