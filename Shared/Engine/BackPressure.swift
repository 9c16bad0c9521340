// SPDX-License-Identifier: Apache-2.0

/// How long a write is delayed so that the upload buffer does not fill (STORAGE §8): nothing below half, then a share
/// of the time that the bucket takes for as many bytes, the whole of it shortly before the buffer is full.
struct BackPressure {
    private static let lowWater = 0.5
    private static let highWater = 0.95
    /// Assumed before the first commit was measured, bytes per second.
    private static let assumedRate = 50_000_000.0

    private var rate = assumedRate
    /// Writes that were delayed are admitted one after the other from here on.
    private var nextAdmission: UInt64 = 0

    /// A commit freed this many journal bytes.
    mutating func didCommit(byteCount: UInt64, nanoseconds: UInt64) {
        guard nanoseconds > 0, byteCount > 0 else { return }
        let measured = Double(byteCount) / (Double(nanoseconds) / 1e9)
        rate = max(1_000_000, 0.7 * rate + 0.3 * measured)
    }

    /// When a write of this size may be taken, at this fill of the buffer.
    mutating func admission(byteCount: Int, fill: Double, now: UInt64) -> UInt64 {
        guard fill > Self.lowWater else {
            nextAdmission = now
            return now
        }
        let pressure = min(1, (fill - Self.lowWater) / (Self.highWater - Self.lowWater))
        let cost = Double(byteCount) / rate * pressure * pressure
        let admission = max(now, nextAdmission)
        nextAdmission = admission + UInt64(cost * 1e9)
        return admission
    }

    /// The delay that a write arriving now would get, nanoseconds.
    func delay(now: UInt64) -> UInt64 { nextAdmission > now ? nextAdmission - now : 0 }
}
