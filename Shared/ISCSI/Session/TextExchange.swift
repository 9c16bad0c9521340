// SPDX-License-Identifier: Apache-2.0

/// One text negotiation of the full feature phase: a request that comes in fragments, then an answer that goes in
/// fragments (RFC 7143 §11.10-§11.11). A session has at most one; a new request ends the old exchange.
package struct TextExchange {
    package enum Step: Equatable, Sendable {
        /// Ask for the rest with an empty answer that carries this tag.
        case collect(targetTransferTag: UInt32)
        /// The request is whole.
        case complete([UInt8])
        /// Send the next part of the answer.
        case proceed
        case refuse(RejectReason)
    }

    private enum State: Equatable {
        case idle
        case collecting(tag: UInt32)
        case answering(tag: UInt32)
    }

    private var state = State.idle
    private var initiatorTaskTag = TaskTag.reserved
    private var request: [UInt8] = []
    private var answer: [UInt8] = []
    private var sentByteCount = 0

    package init() {}

    package mutating func receive(_ pdu: TextRequest, data: [UInt8], freshTag: UInt32) -> Step {
        // A request that goes on is not final, and a fragment that brings nothing would go on for ever.
        guard !pdu.isContinued || !pdu.isFinal && !data.isEmpty else {
            reset()
            return .refuse(.protocolError)
        }
        switch state {
        case _ where pdu.targetTransferTag == TaskTag.reserved:
            reset()
            initiatorTaskTag = pdu.initiatorTaskTag
        case .collecting(let tag) where tag == pdu.targetTransferTag && initiatorTaskTag == pdu.initiatorTaskTag:
            break
        case .answering(let tag) where tag == pdu.targetTransferTag && initiatorTaskTag == pdu.initiatorTaskTag:
            guard data.isEmpty else { return .refuse(.invalidPDUField) }
            return .proceed
        default:
            return .refuse(.invalidPDUField)
        }
        guard request.count + data.count <= TextKeys.exchangeByteLimit else {
            reset()
            return .refuse(.protocolError)
        }
        request += data
        // Nothing final is said to a request that is not.
        if !pdu.isFinal {
            state = .collecting(tag: freshTag)
            return .collect(targetTransferTag: freshTag)
        }
        state = .idle
        defer { request = [] }
        return .complete(request)
    }

    /// Begins to answer the request that was complete last; call `nextPart` until it says that it was the last.
    package mutating func begin(answer: [UInt8]) {
        self.answer = answer
        sentByteCount = 0
    }

    package mutating func nextPart(limit: Int, freshTag: UInt32) -> (part: ArraySlice<UInt8>, isLast: Bool) {
        let end = min(answer.count, sentByteCount + limit)
        let part = answer[sentByteCount..<end]
        sentByteCount = end
        let isLast = end == answer.count
        state = isLast ? .idle : .answering(tag: freshTag)
        if isLast { answer = [] }
        return (part, isLast)
    }

    package mutating func reset() {
        state = .idle
        initiatorTaskTag = TaskTag.reserved
        request = []
        answer = []
        sentByteCount = 0
    }
}
