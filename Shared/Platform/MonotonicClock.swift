// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A reading of CLOCK_BOOTTIME in nanoseconds: for deadlines and intervals within one run of one machine.
package struct MonotonicInstant: Hashable, Comparable, Sendable {
    package var nanoseconds: UInt64
    @inlinable package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    @inlinable package static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }

    /// Saturates instead of wrapping: a deadline of "never" stays one.
    @inlinable package func advanced(by duration: Duration) -> Self {
        let count = duration.wholeNanoseconds
        if count >= 0 {
            let (sum, overflow) = nanoseconds.addingReportingOverflow(UInt64(count))
            return Self(nanoseconds: overflow ? .max : sum)
        }
        let back = count.magnitude
        return Self(nanoseconds: back > nanoseconds ? 0 : nanoseconds - back)
    }

    /// Zero when `earlier` is not earlier.
    @inlinable package func duration(since earlier: Self) -> Duration {
        guard nanoseconds > earlier.nanoseconds else { return .zero }
        return .nanoseconds(Int64(clamping: nanoseconds - earlier.nanoseconds))
    }
}

/// Reads CLOCK_BOOTTIME, which goes on while the machine is suspended: a lease that ran out in its sleep has run out.
package enum MonotonicClock {
    package static func now() -> MonotonicInstant {
        var time = timespec()
        // Cannot fail: the clock exists on every Linux and the pointer is valid.
        _ = unsafe clock_gettime(CLOCK_BOOTTIME, &time)
        return MonotonicInstant(nanoseconds: UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec))
    }
}

/// Reads CLOCK_REALTIME: for people, HEAD and deadlines that travel to another process.
package enum WallClock {
    /// Milliseconds since 1970.
    package static func millisecondsNow() -> UInt64 {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_REALTIME, &time)
        return UInt64(max(0, time.tv_sec)) &* 1000 &+ UInt64(time.tv_nsec) / 1_000_000
    }
}

extension Duration {
    /// Clamped to what 64 bits hold (292 years).
    @inlinable package var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow else { return seconds < 0 ? .min : .max }
        let (sum, carried) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        return carried ? (seconds < 0 ? .min : .max) : sum
    }

    /// Rounded up, so that waiting this long is never too short; 0 for negative durations.
    @inlinable package var wholeMillisecondsRoundedUp: Int64 {
        let nanoseconds = max(0, wholeNanoseconds)
        return nanoseconds / 1_000_000 + (nanoseconds % 1_000_000 == 0 ? 0 : 1)
    }
}
