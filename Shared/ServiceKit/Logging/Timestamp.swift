// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A moment on the wall clock, for people: log lines, tables, messages.
package struct Timestamp: Hashable, Comparable, Sendable {
    package var milliseconds: UInt64
    package init(milliseconds: UInt64) { self.milliseconds = milliseconds }

    package static func now() -> Timestamp {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(milliseconds: UInt64(time.tv_sec) * 1000 + UInt64(time.tv_nsec) / 1_000_000)
    }

    package static func < (left: Timestamp, right: Timestamp) -> Bool { left.milliseconds < right.milliseconds }

    /// `2026-11-02T10:20:30.123Z`. Years beyond 9999, which only a damaged record holds, come out longer.
    package var iso8601: String {
        // Seconds of 55 bits always fit time_t and tm_year.
        var seconds = time_t(milliseconds / 1000 & 0x7f_ffff_ffff_ffff)
        var parts = unsafe tm()
        guard unsafe gmtime_r(&seconds, &parts) != nil else { return "\(milliseconds)ms" }
        let date = unsafe "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
        let time = unsafe "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
        return "\(date)T\(time).\(three(milliseconds % 1000))Z"
    }

    private func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
    private func three(_ value: UInt64) -> String { value < 10 ? "00\(value)" : value < 100 ? "0\(value)" : "\(value)" }
}
