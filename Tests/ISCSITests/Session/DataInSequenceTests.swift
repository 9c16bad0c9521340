// SPDX-License-Identifier: Apache-2.0
import ISCSI
import TestSupport
import Testing

struct DataInSequenceTests {
    private func pieces(_ byteCount: Int, limit: Int, burst: Int, residual: Residual) -> [DataInSequence.Piece] {
        var parameters = SessionParameters()
        parameters.initiatorDataSegmentLimit = limit
        parameters.maxBurstByteCount = burst
        var sequence = DataInSequence(
            initiatorTaskTag: 5, byteCount: byteCount, residual: residual, parameters: parameters)
        var pieces: [DataInSequence.Piece] = []
        while let piece = sequence.next() { pieces.append(piece) }
        return pieces
    }

    @Test func endsEachBurstWithFAndTheLastWithStatus() {
        let residual = Residual(expected: 5000, commandByteCount: 6000)
        let pieces = pieces(5000, limit: 1024, burst: 2048, residual: residual)
        #expect(pieces.map(\.pdu.flags) == [0, 0x80, 0, 0x80, 0x80 | 0x01 | 0x04])
        #expect(pieces.map(\.pdu.dataSN) == [0, 1, 2, 3, 4])
        #expect(pieces.map(\.pdu.bufferOffset) == [0, 1024, 2048, 3072, 4096])
        #expect(pieces.last?.pdu.residual == 1000)
        #expect(pieces.map(\.carriesStatus) == [false, false, false, false, true])
    }

    @Test func coversEveryByteOnceWithinTheLimits() {
        var random = SeededRandom(seed: 41)
        for _ in 0..<300 {
            let (count, limit) = (1 + random.below(50_000), 512 + random.below(8000))
            let burst = 512 + random.below(20_000)
            var next = 0
            var inBurst = 0
            let residual = Residual(expected: 0, commandByteCount: 0)
            for piece in pieces(count, limit: limit, burst: burst, residual: residual) {
                #expect(piece.range.lowerBound == next && piece.range.count <= limit && !piece.range.isEmpty)
                next = piece.range.upperBound
                inBurst += piece.range.count
                #expect(inBurst <= burst)
                if piece.pdu.flags & 0x80 != 0 { inBurst = 0 }
            }
            #expect(next == count && inBurst == 0)
        }
    }

    @Test func residualsSayWhatIsMissingOnEitherSide() {
        let table: [(UInt32, Int, UInt8, UInt32)] = [
            (512, 512, 0, 0), (0, 512, 4, 512), (10_000, 512, 2, 9488), (200, 512, 4, 312), (512, 1024, 4, 512),
            (512, 0, 2, 512), (0, 0, 0, 0), (.max, 0, 2, .max),
        ]
        for (expected, command, flag, count) in table {
            let residual = Residual(expected: expected, commandByteCount: command)
            #expect(residual.flag == flag && residual.byteCount == count)
        }
    }
}
