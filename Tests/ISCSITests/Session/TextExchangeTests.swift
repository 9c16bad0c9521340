// SPDX-License-Identifier: Apache-2.0
import ISCSI
import Testing

struct TextExchangeTests {
    /// A request that goes on is not final.
    private func request(
        tag: UInt32 = TaskTag.reserved, isContinued: Bool = false, isFinal: Bool? = nil, task: UInt32 = 4
    ) -> TextRequest {
        var request = TextRequest()
        (request.targetTransferTag, request.isContinued, request.initiatorTaskTag) = (tag, isContinued, task)
        request.isFinal = isFinal ?? !isContinued
        return request
    }

    @Test func joinsFragmentsUnderTheTagItGave() {
        var text = TextExchange()
        let first = text.receive(request(isContinued: true), data: [1, 2], freshTag: 10)
        #expect(first == .collect(targetTransferTag: 10))
        let second = text.receive(request(tag: 10, isContinued: true), data: [3], freshTag: 11)
        #expect(second == .collect(targetTransferTag: 11))
        #expect(text.receive(request(tag: 10), data: [4], freshTag: 12) == .refuse(.invalidPDUField))
        #expect(text.receive(request(tag: 11), data: [4], freshTag: 13) == .complete([1, 2, 3, 4]))
    }

    @Test func sendsALongAnswerInPartsThatAreAskedFor() {
        var text = TextExchange()
        #expect(text.receive(request(), data: [1], freshTag: 0) == .complete([1]))
        text.begin(answer: Array(0..<25))
        var parts: [[UInt8]] = []
        var tag: UInt32 = 1
        while true {
            let (part, isLast) = text.nextPart(limit: 10, freshTag: tag)
            parts.append(Array(part))
            if isLast { break }
            #expect(text.receive(request(tag: tag), data: [], freshTag: 99) == .proceed)
            tag += 1
        }
        #expect(parts.map(\.count) == [10, 10, 5])
        #expect(parts.flatMap { $0 } == Array(0..<25))
        #expect(text.receive(request(tag: tag), data: [], freshTag: 1) == .refuse(.invalidPDUField))
    }

    @Test func refusesEmptyFragmentsAndTextWithoutEnd() {
        var text = TextExchange()
        #expect(text.receive(request(isContinued: true), data: [], freshTag: 1) == .refuse(.protocolError))
        var tag = TaskTag.reserved
        let portion = [UInt8](repeating: 65, count: 4096)
        for fresh in UInt32(1)...4 {
            let step = text.receive(request(tag: tag, isContinued: true), data: portion, freshTag: fresh)
            #expect(step == .collect(targetTransferTag: fresh))
            tag = fresh
        }
        #expect(text.receive(request(tag: tag), data: [1], freshTag: 9) == .refuse(.protocolError))
    }

    @Test func aNewRequestEndsTheOldExchange() {
        var text = TextExchange()
        _ = text.receive(request(isContinued: true), data: [1], freshTag: 1)
        #expect(text.receive(request(), data: [2], freshTag: 2) == .complete([2]))
        #expect(text.receive(request(tag: 1), data: [3], freshTag: 3) == .refuse(.invalidPDUField))
    }

    @Test func refusesAFinalRequestThatGoesOn() {
        var text = TextExchange()
        let both = request(isContinued: true, isFinal: true)
        #expect(text.receive(both, data: [1], freshTag: 1) == .refuse(.protocolError))
        #expect(text.receive(request(tag: 1), data: [2], freshTag: 2) == .refuse(.invalidPDUField))
    }

    @Test func saysNothingFinalToARequestThatIsNot() {
        var text = TextExchange()
        let open = text.receive(request(isFinal: false), data: [], freshTag: 1)
        #expect(open == .collect(targetTransferTag: 1))
        #expect(
            text.receive(request(tag: 1, isFinal: false), data: [7], freshTag: 2) == .collect(targetTransferTag: 2))
        #expect(text.receive(request(tag: 2), data: [], freshTag: 3) == .complete([7]))
    }

    @Test func anExchangeBelongsToItsTaskTagAndItsTagIsGoodOnce() {
        var text = TextExchange()
        _ = text.receive(request(isContinued: true), data: [1], freshTag: 1)
        #expect(text.receive(request(tag: 1, task: 5), data: [2], freshTag: 2) == .refuse(.invalidPDUField))
        #expect(text.receive(request(tag: 1), data: [2], freshTag: 3) == .complete([1, 2]))
        #expect(text.receive(request(tag: 1), data: [3], freshTag: 4) == .refuse(.invalidPDUField))
        text.begin(answer: Array(0..<20))
        #expect(!text.nextPart(limit: 10, freshTag: 9).isLast)
        #expect(text.receive(request(tag: 9, task: 5), data: [], freshTag: 10) == .refuse(.invalidPDUField))
        #expect(text.receive(request(tag: 9), data: [1], freshTag: 11) == .refuse(.invalidPDUField))
        #expect(text.receive(request(tag: 9), data: [], freshTag: 12) == .proceed)
    }
}
