// SPDX-License-Identifier: Apache-2.0
import ISCSI
import SCSI
import Testing
import Wire

/// Text requests that are bounded, or wrong, as a peer may send them.
struct FullFeatureTextTests {
    private func request(
        tag: UInt32 = TaskTag.reserved, task: UInt32 = 4, isContinued: Bool = false, isFinal: Bool? = nil
    ) -> TextRequest {
        var request = TextRequest()
        (request.isImmediate, request.initiatorTaskTag, request.targetTransferTag) = (true, task, tag)
        (request.isContinued, request.isFinal) = (isContinued, isFinal ?? !isContinued)
        return request
    }

    private func reason(_ harness: FullFeatureHarness) -> UInt8? { harness.answer()?.pdu(Reject.self)?.reason }

    @Test func refusesFragmentsThatBringNothingOrAreFinal() {
        for (request, data, expected) in [
            (request(isContinued: true), [], 0x04), (request(isContinued: true, isFinal: true), [65], 0x04),
            (request(tag: 77), [], 0x09), (request(task: TaskTag.reserved), [], 0x09),
        ] as [(TextRequest, [UInt8], UInt8)] {
            let harness = FullFeatureHarness(discovery: true)
            #expect(harness.send(request, data: data).isEmpty)
            #expect(reason(harness) == expected)
            harness.send(self.request(), data: TextKeys.encode([TextPair("SendTargets", "All")]))
            #expect(harness.answer()?.opcode == TextResponse.opcode, "the connection goes on")
        }
    }

    @Test func joinsFragmentsCutAnywhere() throws {
        let text = TextKeys.encode([TextPair("SendTargets", "All"), TextPair("X-new", "1")])
        for cut in 1..<text.count {
            let harness = FullFeatureHarness(discovery: true)
            harness.send(request(isContinued: true), data: Array(text[..<cut]))
            let collect = try #require(harness.answer())
            let response = try #require(collect.pdu(TextResponse.self))
            #expect(!response.isFinal && !response.isContinued && collect.data.isEmpty)
            #expect(response.targetTransferTag != TaskTag.reserved)
            harness.send(request(tag: response.targetTransferTag), data: Array(text[cut...]))
            let answer = try #require(harness.answer())
            #expect(try TextKeys.parse(answer.data).count == 6)
            #expect(answer.header[1] == 0x80)
        }
    }

    @Test func boundsWhatItCollectsAndWhatItAnswers() throws {
        let harness = FullFeatureHarness(discovery: true)
        var tag = TaskTag.reserved
        let portion = [UInt8](repeating: 65, count: 8192)
        for _ in 0..<2 {
            harness.send(request(tag: tag, isContinued: true), data: portion)
            tag = try #require(harness.answer()?.pdu(TextResponse.self)).targetTransferTag
        }
        harness.send(request(tag: tag, isContinued: true), data: [65])
        #expect(reason(harness) == 0x04)

        func unknown(_ count: Int) -> [UInt8] { TextKeys.encode((0..<count).map { TextPair("X-\($0)", "a") }) }
        harness.send(request(), data: unknown(64))
        #expect(try TextKeys.parse(#require(harness.answer()).data).count == 64)
        harness.send(request(), data: unknown(65))
        #expect(reason(harness) == 0x09)
        // One request does not have the whole list told many times.
        let twice = TextKeys.encode([TextPair("SendTargets", "All"), TextPair("SendTargets", "All")])
        harness.send(request(), data: twice)
        #expect(reason(harness) == 0x09)
    }

    @Test func aNewLimitOfTheInitiatorHoldsForDataThatIsUnderWay() throws {
        let harness = FullFeatureHarness { ($0.initiatorDataSegmentLimit, $0.maxBurstByteCount) = (1024, 8192) }
        let task = try #require(harness.command(tag: 1, read: 6144).newTask)
        _ = harness.begin(task, 0)
        var sequence = try #require(
            harness.machine.beginDataIn(task, byteCount: 6144, &harness.output, &harness.actions))
        func next() throws -> Int {
            try #require(harness.machine.nextDataIn(task, &sequence, &harness.actions)).range.count
        }
        #expect(try next() == 1024)
        harness.send(request(), data: TextKeys.encode([TextPair("MaxRecvDataSegmentLength", "512")]))
        #expect(try #require(harness.answer()).data.isEmpty)
        #expect(try next() == 512)
        harness.send(request(), data: TextKeys.encode([TextPair("MaxRecvDataSegmentLength", "4096")]))
        #expect(try next() == 4096)
        #expect(try next() == 512)
        #expect(sequence.isOver)
        // A request that is refused changes nothing.
        let refused = [TextPair("MaxRecvDataSegmentLength", "512"), TextPair("SendTargets", "A")]
        harness.send(request(), data: TextKeys.encode(refused))
        #expect(harness.machine.parameters.initiatorDataSegmentLimit == 4096)
        for value in ["511", "16777216", "-1", "", "0x"] {
            harness.send(request(), data: TextKeys.encode([TextPair("MaxRecvDataSegmentLength", value)]))
            #expect(harness.machine.parameters.initiatorDataSegmentLimit == 4096)
        }
    }

    @Test func refusesTextWithAWrongDigestAndForgetsAPing() throws {
        let harness = FullFeatureHarness()
        harness.send(request(), data: [65], isIntact: false)
        #expect(reason(harness) == 0x02)
        var nop = NOPOut()
        (nop.isImmediate, nop.initiatorTaskTag) = (true, 3)
        harness.send(nop, data: [1], isIntact: false)
        #expect(reason(harness) == 0x02)
        // An answer to no ping of ours, and an echo that is longer than the initiator takes.
        (nop.initiatorTaskTag, nop.targetTransferTag) = (TaskTag.reserved, 0x1234)
        #expect(harness.send(nop).isEmpty && harness.answers().isEmpty)
        (nop.initiatorTaskTag, nop.targetTransferTag) = (3, TaskTag.reserved)
        harness.send(nop, data: [UInt8](repeating: 7, count: 9000))
        #expect(try #require(harness.answer()).data.count == 8192)
    }
}
