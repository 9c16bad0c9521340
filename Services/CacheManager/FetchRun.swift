// SPDX-License-Identifier: Apache-2.0
package import Engine
package import Messages

/// Frames that lie one after the other in their pack, fetched with one request: to a store, a request costs far more
/// than a few more bytes.
package struct FetchRun {
    /// Large enough that requests cost little; with somebody waiting, small enough that he does not wait long for his
    /// part.
    private static func byteLimit(_ urgency: FetchUrgency) -> Int { urgency == .background ? 4 << 20 : 1 << 20 }

    package private(set) var frames: [FrameReference]
    package let urgency: FetchUrgency
    private var byteCount: Int

    package init(_ frame: FrameReference, _ urgency: FetchUrgency) {
        frames = [frame]
        byteCount = Int(frame.byteCount)
        self.urgency = urgency
    }

    /// - Returns: false if the frame has to be fetched on its own.
    package mutating func take(_ frame: FrameReference, _ urgency: FetchUrgency) -> Bool {
        guard let last = frames.last, urgency == self.urgency, frame.pack == last.pack, frame.owner == last.owner,
            UInt64(frame.byteOffset) == UInt64(last.byteOffset) + UInt64(last.byteCount),
            byteCount + Int(frame.byteCount) <= Self.byteLimit(urgency)
        else { return false }
        frames.append(frame)
        byteCount += Int(frame.byteCount)
        return true
    }

    package var work: UploadJob.Work {
        .getFrames(
            key: frames[0].key, byteOffset: UInt64(frames[0].byteOffset), byteCounts: frames.map(\.byteCount))
    }
}
