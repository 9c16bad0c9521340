// SPDX-License-Identifier: Apache-2.0
import ISCSI
import SCSI
import Testing
import Wire

struct FullFeatureRequestTests {
    @Test func echoesNOPOutAndPingsWithoutAdvancingStatSN() throws {
        let harness = FullFeatureHarness()
        for data in [[UInt8](), [1, 2, 3, 4, 5, 6, 7, 8]] {
            var nop = NOPOut()
            (nop.isImmediate, nop.initiatorTaskTag) = (true, 9)
            harness.send(nop, data: data)
            let answer = try #require(harness.answer())
            #expect(answer.data == data)
            let pdu = try #require(answer.pdu(NOPIn.self))
            #expect(pdu.initiatorTaskTag == 9 && pdu.targetTransferTag == TaskTag.reserved)
        }
        harness.machine.ping(&harness.output)
        let ping = try #require(harness.answer()?.pdu(NOPIn.self))
        #expect(ping.initiatorTaskTag == TaskTag.reserved && ping.targetTransferTag != TaskTag.reserved)
        #expect(ping.sequence.statSN == SerialNumber(1))
        var reply = NOPOut()
        (reply.isImmediate, reply.initiatorTaskTag) = (true, TaskTag.reserved)
        reply.targetTransferTag = ping.targetTransferTag
        #expect(harness.send(reply).isEmpty)
        #expect(harness.answers().isEmpty)
    }

    @Test func rejectsUnknownOpcodesWithTheirHeader() throws {
        for opcode in UInt8(0)..<0x40 where ![0, 1, 2, 3, 4, 5, 6].contains(opcode) {
            let harness = FullFeatureHarness()
            var header = NOPOut().encoded()
            header[0] = 0x40 | opcode
            #expect(harness.deliver(header: header).isEmpty)
            let answer = try #require(harness.answer())
            let reject = try #require(answer.pdu(Reject.self))
            #expect(reject.reason == (opcode == 0x10 ? 0x04 : 0x05))
            #expect(answer.data == (0..<48).map { header[$0] })
            #expect(harness.machine.rejectedCount == 1)
        }
        let harness = FullFeatureHarness()
        #expect(harness.send(LoginRequest()) == [.close])
    }

    private func text(_ pairs: [TextPair], discovery: Bool) -> (pairs: [TextPair]?, reason: UInt8?) {
        let harness = FullFeatureHarness(discovery: discovery)
        var request = TextRequest()
        (request.isImmediate, request.initiatorTaskTag) = (true, 4)
        harness.send(request, data: TextKeys.encode(pairs))
        guard let answer = harness.answer() else { return (nil, nil) }
        if let reject = answer.pdu(Reject.self) { return (nil, reject.reason) }
        guard let response = answer.pdu(TextResponse.self), response.isFinal, !response.isContinued,
            response.targetTransferTag == TaskTag.reserved, answer.header[1] == 0x80
        else { return (nil, nil) }
        return (try? TextKeys.parse(answer.data), nil)
    }

    @Test func tellsADiscoverySessionAllTargets() {
        let all = text([TextPair("SendTargets", "All")], discovery: true).pairs
        #expect(
            all == [
                TextPair("TargetName", TestEnvironment.target), TextPair("TargetAddress", "127.0.0.1:3260,1"),
                TextPair("TargetAddress", "[::1]:3260,1"), TextPair("TargetName", "iqn.2026-11.io.sluice:other"),
                TextPair("TargetAddress", "127.0.0.1:3260,1"),
            ])
        let one = text([TextPair("SendTargets", "iqn.2026-11.io.sluice:other")], discovery: true).pairs
        #expect(one?.count == 2)
        #expect(text([TextPair("SendTargets", "iqn.2026-11.io.sluice:none")], discovery: true).pairs == [])
        #expect(text([TextPair("SendTargets", "")], discovery: true).reason == 0x09)
    }

    @Test func tellsANormalSessionItsOwnTargetOnly() {
        for value in ["All", "", TestEnvironment.target] {
            let pairs = text([TextPair("SendTargets", value)], discovery: false).pairs
            #expect(pairs?.filter { $0.key == "TargetName" } == [TextPair("TargetName", TestEnvironment.target)])
        }
        for pair in [
            TextPair("SendTargets", "A"), TextPair("SendTargets", "Alle"), TextPair("SendTargetsPlease", "All"),
            TextPair("sENDtARGETS", "aLL"), TextPair("SendTargets", "iqn.2026-11.io.sluice:other"),
        ] {
            #expect(text([pair], discovery: false).reason == 0x09, "\(pair)")
        }
    }

    @Test func answersOtherKeysOfTheFullFeaturePhase() {
        let pairs = text(
            [
                TextPair("X-new", "1"), TextPair("MaxBurstLength", "512"), TextPair("MaxRecvDataSegmentLength", "4096"),
            ], discovery: false
        ).pairs
        #expect(pairs == [TextPair("X-new", "NotUnderstood"), TextPair("MaxBurstLength", "Reject")])
        #expect(text([TextPair("MaxRecvDataSegmentLength", "1")], discovery: false).reason == 0x09)
    }

    @Test func splitsALongListIntoPartsThatTheInitiatorTakes() throws {
        let harness = FullFeatureHarness(discovery: true) { $0.initiatorDataSegmentLimit = 512 }
        harness.directory.records = (0..<40).map {
            TargetRecord(name: "iqn.2026-11.io.sluice:volume-\($0)", addresses: ["127.0.0.1:3260,1"])
        }
        var request = TextRequest()
        (request.isImmediate, request.initiatorTaskTag) = (true, 4)
        harness.send(request, data: TextKeys.encode([TextPair("SendTargets", "All")]))
        var collected: [UInt8] = []
        while true {
            let answer = try #require(harness.answer())
            let response = try #require(answer.pdu(TextResponse.self))
            #expect(answer.data.count <= 512)
            collected += answer.data
            if response.isFinal { break }
            #expect(response.isContinued)
            request.targetTransferTag = response.targetTransferTag
            harness.send(request)
        }
        #expect(try TextKeys.parse(collected).count == 80)
    }

    @Test func logsOutOnceNothingIsPending() throws {
        let harness = FullFeatureHarness()
        let task = try #require(harness.command(tag: 1, read: 512).newTask)
        _ = harness.begin(task, 0)
        var logout = LogoutRequest()
        (logout.initiatorTaskTag, logout.cmdSN) = (8, harness.takeCmdSN())
        #expect(harness.send(logout) == [.logout(logout)])
        #expect(harness.answers().isEmpty)
        harness.finish(task)
        #expect(harness.answers().isEmpty, "an aborted task is never answered")
        #expect(harness.command(tag: 2, read: 512).isEmpty, "nothing is taken behind a logout")
        harness.machine.answerLogout(logout, response: 0, &harness.output)
        let response = try #require(harness.answer()?.pdu(LogoutResponse.self))
        #expect(response.response == 0 && response.secondsToWait == 2 && response.secondsToRetain == 0)
    }

    @Test func refusesLogoutsOfOtherConnectionsAndForRecovery() throws {
        for (reason, connection, expected) in [(1, 99, 1), (2, 3, 2), (7, 3, 2)] as [(UInt8, UInt16, UInt8)] {
            let harness = FullFeatureHarness()
            var logout = LogoutRequest()
            (logout.reason, logout.connectionID, logout.cmdSN) = (reason, connection, harness.takeCmdSN())
            #expect(harness.send(logout).isEmpty)
            #expect(try #require(harness.answer()?.pdu(LogoutResponse.self)).response == expected)
            #expect(harness.command(tag: 2, read: 512).newTask != nil)
        }
        let closing = FullFeatureHarness()
        var logout = LogoutRequest()
        (logout.reason, logout.connectionID, logout.cmdSN) = (1, 3, closing.takeCmdSN())
        #expect(closing.send(logout) == [.logout(logout)])
    }

    @Test func asksForALogoutBeforeItStops() throws {
        let harness = FullFeatureHarness { $0.secondsToWait = 5 }
        harness.machine.requestLogout(seconds: 10, &harness.output)
        harness.machine.announceClose(&harness.output)
        let messages = harness.answers().compactMap { $0.pdu(AsyncMessage.self) }
        #expect(messages.map(\.event) == [1, 3])
        #expect(messages[0].parameter3 == 10 && messages[1].parameter2 == 5)
        #expect(messages.map(\.sequence.statSN) == [SerialNumber(0xffff_ffff), SerialNumber(0)])
        #expect(messages.allSatisfy { $0.initiatorTaskTag == TaskTag.reserved })
    }
}
