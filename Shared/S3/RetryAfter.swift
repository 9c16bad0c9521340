// SPDX-License-Identifier: Apache-2.0
import Foundation

/// The Retry-After header, RFC 9110 §10.2.3: seconds, or the time of day when the store may be asked again.
enum RetryAfter {
    /// The three forms in which HTTP has ever written a time of day; §5.6.7 asks that all be understood.
    private static let dateFormats = [
        "EEE, dd MMM yyyy HH:mm:ss 'GMT'", "EEEE, dd-MMM-yy HH:mm:ss 'GMT'", "EEE MMM d HH:mm:ss yyyy",
    ]

    /// nil for what is neither; none for a time that has passed.
    static func pause(_ text: String, now: Date) -> Duration? {
        if let seconds = UInt32(text) { return .seconds(seconds) }
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = TimeZone(secondsFromGMT: 0)
        for format in dateFormats {
            formatter.dateFormat = format
            guard let date = formatter.date(from: text) else { continue }
            return .seconds(max(0, date.timeIntervalSince(now)))
        }
        return nil
    }
}
