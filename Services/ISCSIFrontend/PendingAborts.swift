// SPDX-License-Identifier: Apache-2.0

/// Requests of aborted tasks that were on their way to the cache manager: a barrier behind them says when they cannot
/// be applied any more. A barrier settles only the aborts before it, so they are counted.
struct PendingAborts {
    private(set) var count: UInt64 = 0
    private var settledCount: UInt64 = 0

    var needsBarrier: Bool { count > settledCount }
    mutating func add() { count += 1 }

    /// A barrier has passed that was sent when `count` was this.
    mutating func settle(through count: UInt64) { settledCount = max(settledCount, count) }
}
