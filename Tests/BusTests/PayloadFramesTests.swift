// SPDX-License-Identifier: Apache-2.0
import Platform
import Testing

@testable import Bus

struct PayloadFramesTests {
    private func buffer(_ byteCount: Int, _ mark: UInt8) -> IOBuffer {
        IOBuffer([UInt8](repeating: mark, count: byteCount))
    }

    @Test func smallNeighboursShareAFrameAndAllComeBackInOrder() throws {
        let sizes = [4096, 512, 100_000, 16, 16 << 10, 1 << 20]
        let buffers = sizes.enumerated().map { buffer($1, UInt8($0 + 1)) }
        var frames: [Frame] = []
        PayloadFrames.carry(buffers, in: &frames)
        #expect(frames.map(\.byteCount) == [4608, 100_000, 16 + (16 << 10), 1 << 20])
        var cursor = PayloadCursor()
        for buffer in buffers {
            let piece = cursor.take(buffer.byteCount, from: frames)
            let slice = try #require(piece)
            #expect(unsafe Array(slice.bytes) == buffer.array)
        }
        let beyond = cursor.take(1, from: frames)
        #expect(beyond == nil)
    }

    @Test func onePackedFrameStaysWithinItsLimit() {
        let buffers = (0..<200).map { buffer(16 << 10, UInt8($0)) }
        var frames: [Frame] = []
        PayloadFrames.carry(buffers, in: &frames)
        #expect(frames.map(\.byteCount) == [1 << 20, 1 << 20, 1 << 20, 8 << 14])
    }

    @Test func aPieceNeverReachesIntoTheNextFrame() {
        let frames = [Frame([1, 2, 3]), Frame([4, 5, 6])]
        var cursor = PayloadCursor()
        let first = cursor.take(2, from: frames)
        let tooLong = cursor.take(2, from: frames)
        #expect(first?.range == 0..<2)
        #expect(tooLong == nil)
        var other = PayloadCursor()
        let whole = [other.take(3, from: frames), other.take(3, from: frames)]
        #expect(whole[0]?.frame === frames[0])
        #expect(whole[1]?.frame === frames[1])
        let nothing = other.take(1, from: [])
        #expect(nothing == nil)
    }
}
