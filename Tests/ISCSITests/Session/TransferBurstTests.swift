// SPDX-License-Identifier: Apache-2.0
import ISCSI
import Testing

/// All combinations of what a login may agree on about bursts, with an initiator that sends as much as it may as early
/// as it may.
struct TransferBurstTests {
    private struct Case {
        var parameters = SessionParameters()
        var expected = 0

        /// What comes unasked: with the command, and before the first R2T.
        var immediate: Int { parameters.immediateData ? min(expected, parameters.firstBurstByteCount, 2048) : 0 }
        var unasked: Int {
            parameters.initialR2T ? immediate : min(expected, parameters.firstBurstByteCount)
        }
    }

    private static func cases() -> [Case] {
        var cases: [Case] = []
        for (initialR2T, immediateData) in [(false, false), (false, true), (true, false), (true, true)] {
            for (first, most) in [(512, 512), (512, 4096), (1024, 1024), (4096, 4096), (4096, 65_536), (1000, 1001)] {
                for outstanding in [1, 2, 3, 16, 64] {
                    for expected in [0, 1, 511, 512, 513, 1024, 4096, 4097, 10_000, 65_536, 100_001] {
                        var item = Case()
                        (item.parameters.initialR2T, item.parameters.immediateData) = (initialR2T, immediateData)
                        (item.parameters.firstBurstByteCount, item.parameters.maxBurstByteCount) = (first, most)
                        (item.parameters.maxOutstandingR2T, item.expected) = (outstanding, expected)
                        cases.append(item)
                    }
                }
            }
        }
        return cases
    }

    @Test func everyCombinationMovesEveryByteWithAsFewRequestsAsPossible() throws {
        for item in Self.cases() {
            var transfer = TransferStateMachine(
                expectedByteCount: item.expected, immediateByteCount: item.immediate,
                isFinal: item.immediate == item.unasked, limits: .init(item.parameters))
            transfer.want(item.expected)
            var arrived = item.immediate
            if item.unasked > item.immediate {
                #expect(!transfer.canRequest && !transfer.isSettled)
                arrived += send(TaskTag.reserved, from: arrived, to: item.unasked, &transfer)
            }
            var queue: [TransferStateMachine.Request] = []
            var (tag, requestedEnd) = (UInt32(1), arrived)
            while true {
                while let request = transfer.request(tag: tag) {
                    #expect(request.bufferOffset == requestedEnd && request.r2tSN == tag - 1)
                    #expect(request.byteCount <= item.parameters.maxBurstByteCount)
                    requestedEnd += request.byteCount
                    tag += 1
                    queue.append(request)
                }
                #expect(queue.count <= min(item.parameters.maxOutstandingR2T, 16))
                #expect(requestedEnd == item.expected || queue.count == min(item.parameters.maxOutstandingR2T, 16))
                guard !queue.isEmpty else { break }
                let next = queue.removeFirst()
                arrived += send(
                    next.targetTransferTag, from: next.bufferOffset, to: next.bufferOffset + next.byteCount, &transfer)
            }
            #expect(transfer.isSettled && !transfer.hasFailed && arrived == item.expected, "\(item)")
            let asked = item.expected - item.unasked
            let most = item.parameters.maxBurstByteCount
            #expect(transfer.r2tCount == UInt32((asked + most - 1) / most), "\(item)")
        }
    }

    /// One sequence, in PDUs of at most 700 bytes.
    private func send(
        _ tag: UInt32, from start: Int, to end: Int, _ transfer: inout TransferStateMachine
    ) -> Int {
        var (offset, dataSN, moved) = (start, UInt32(0), 0)
        while offset < end {
            let byteCount = min(700, end - offset)
            var pdu = SCSIDataOut()
            (pdu.targetTransferTag, pdu.dataSN, pdu.bufferOffset) = (tag, dataSN, UInt32(offset))
            pdu.isFinal = offset + byteCount == end
            moved += transfer.receive(pdu, byteCount: byteCount, isIntact: true)
            offset += byteCount
            dataSN += 1
        }
        return moved
    }
}
