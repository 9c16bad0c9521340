// SPDX-License-Identifier: Apache-2.0

/// Cuts what a child writes into whole lines. A line longer than the limit is cut, so that a child cannot make the
/// supervisor grow.
package struct LineBuffer: Sendable {
    private static let limit = 64 << 10
    private var pending: [UInt8] = []

    package init() {}

    /// Complete lines, without their newlines.
    package mutating func append(_ bytes: some Sequence<UInt8>) -> [String] {
        var lines: [String] = []
        for byte in bytes {
            if byte == UInt8(ascii: "\n") || pending.count == Self.limit {
                lines.append(String(decoding: pending, as: UTF8.self))
                pending.removeAll(keepingCapacity: true)
            }
            if byte != UInt8(ascii: "\n") { pending.append(byte) }
        }
        return lines
    }

    /// What is left when the child has closed its end.
    package mutating func finish() -> [String] {
        guard !pending.isEmpty else { return [] }
        defer { pending = [] }
        return [String(decoding: pending, as: UTF8.self)]
    }
}
