// SPDX-License-Identifier: Apache-2.0

/// What one connection has of the read budget, until the last byte of each read has left the output.
struct ConnectionReads {
    private(set) var reservedByteCount = 0
    /// Its reads in line; while there are any, later ones go behind them.
    var waitingCount = 0
    /// Answered: how much the output has sent when the read is out, and what it reserved. Oldest first.
    private var leaving: [(end: UInt64, byteCount: Int)] = []

    mutating func reserve(_ byteCount: Int) { reservedByteCount += byteCount }

    mutating func leave(_ byteCount: Int, at end: UInt64) { leaving.append((end, byteCount)) }

    /// - Returns: what is free again.
    mutating func takeSent(_ sentByteCount: UInt64) -> Int {
        guard let first = leaving.first, first.end <= sentByteCount else { return 0 }
        let sent = leaving.prefix { $0.end <= sentByteCount }
        let byteCount = sent.reduce(0) { $0 + $1.byteCount }
        leaving.removeFirst(sent.count)
        reservedByteCount -= byteCount
        return byteCount
    }

    /// The connection has ended.
    mutating func takeAll() -> Int {
        defer { self = ConnectionReads() }
        return reservedByteCount
    }
}
