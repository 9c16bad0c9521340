// SPDX-License-Identifier: Apache-2.0
package import Platform

/// The data of the requests or replies in one I/O message: it lies in the message's payload frames in their order, each
/// piece whole within one frame. Small neighbours share a frame, because a frame of its own costs ZeroMQ more than a
/// few blocks cost to copy, and one large frame passes through it without being cut and copied.
package enum PayloadFrames {
    /// Larger pieces travel in frames of their own, without a copy.
    private static let largestPacked = 16 << 10
    private static let packedFrameLimit = 1 << 20

    /// Appends the frames that carry these buffers.
    package static func carry(_ buffers: [IOBuffer], in frames: inout [Frame]) {
        var next = 0
        while next < buffers.count {
            guard buffers[next].byteCount <= largestPacked else {
                frames.append(Frame(sharing: buffers[next]))
                next += 1
                continue
            }
            let first = next
            var byteCount = 0
            while next < buffers.count, buffers[next].byteCount <= largestPacked,
                byteCount + buffers[next].byteCount <= packedFrameLimit
            {
                byteCount += buffers[next].byteCount
                next += 1
            }
            frames.append(pack(buffers[first..<next], byteCount: byteCount))
        }
    }

    private static func pack(_ buffers: ArraySlice<IOBuffer>, byteCount: Int) -> Frame {
        unsafe Frame(byteCount: byteCount) { target in
            var offset = 0
            for buffer in buffers {
                let place = unsafe UnsafeMutableRawBufferPointer(rebasing: target[offset..<offset + buffer.byteCount])
                unsafe place.copyMemory(from: UnsafeRawBufferPointer(buffer.bytes))
                offset += buffer.byteCount
            }
        }
    }
}

/// A part of a frame, which it keeps alive.
package struct FrameSlice {
    package let frame: Frame
    package let range: Range<Int>

    package init(frame: Frame, range: Range<Int>) {
        self.frame = frame
        self.range = range
    }

    package var byteCount: Int { range.count }
    /// Valid as long as the frame is.
    package var bytes: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(rebasing: frame.bytes[range]) }

    /// - Parameter range: counted from the start of this slice, and within it.
    package func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(rebasing: bytes[range])
    }
}

/// Finds the pieces in a received message, one after the other.
package struct PayloadCursor {
    private var frameIndex = 0
    private var offset = 0

    package init() {}

    /// Nil when the sender put no such piece there: it would end behind its frame, or there is no frame.
    package mutating func take(_ byteCount: Int, from frames: [Frame]) -> FrameSlice? {
        if frameIndex < frames.count, offset == frames[frameIndex].byteCount {
            frameIndex += 1
            offset = 0
        }
        guard frameIndex < frames.count, byteCount <= frames[frameIndex].byteCount - offset else { return nil }
        defer { offset += byteCount }
        return FrameSlice(frame: frames[frameIndex], range: offset..<offset + byteCount)
    }
}
