// SPDX-License-Identifier: Apache-2.0
import ISCSI
import TestSupport
import Testing

struct TransferStateMachineTests {
    private func limits(
        initialR2T: Bool = false, firstBurst: Int = 4096, maxBurst: Int = 8192, outstanding: Int = 1
    ) -> TransferStateMachine.Limits {
        var parameters = SessionParameters()
        parameters.initialR2T = initialR2T
        parameters.firstBurstByteCount = firstBurst
        parameters.maxBurstByteCount = maxBurst
        parameters.maxOutstandingR2T = outstanding
        return TransferStateMachine.Limits(parameters)
    }

    private func dataOut(
        tag: UInt32 = TaskTag.reserved, dataSN: UInt32, offset: UInt32, isFinal: Bool
    ) -> SCSIDataOut {
        var pdu = SCSIDataOut()
        (pdu.targetTransferTag, pdu.dataSN, pdu.bufferOffset, pdu.isFinal) = (tag, dataSN, offset, isFinal)
        return pdu
    }

    private func receive(_ transfer: inout TransferStateMachine, _ pdu: SCSIDataOut, _ byteCount: Int) -> Int {
        transfer.receive(pdu, byteCount: byteCount, isIntact: true)
    }

    private func request(_ transfer: inout TransferStateMachine, _ tag: UInt32) -> TransferStateMachine.Request? {
        transfer.request(tag: tag)
    }

    @Test func immediateDataAloneSettles() {
        var transfer = TransferStateMachine(
            expectedByteCount: 1024, immediateByteCount: 1024, isFinal: true, limits: limits())
        transfer.want(1024)
        #expect(transfer.isSettled && !transfer.hasFailed && !transfer.canRequest)
    }

    @Test func collectsImmediateUnsolicitedAndSolicitedData() throws {
        var transfer = TransferStateMachine(
            expectedByteCount: 20_000, immediateByteCount: 1000, isFinal: false, limits: limits(outstanding: 2))
        transfer.want(20_000)
        #expect(!transfer.canRequest)
        #expect(receive(&transfer, dataOut(dataSN: 0, offset: 1000, isFinal: false), 2000) == 2000)
        #expect(receive(&transfer, dataOut(dataSN: 1, offset: 3000, isFinal: true), 1096) == 1096)
        let first = try #require(request(&transfer, 5))
        #expect(first == .init(targetTransferTag: 5, r2tSN: 0, bufferOffset: 4096, byteCount: 8192))
        let second = try #require(request(&transfer, 6))
        #expect(second == .init(targetTransferTag: 6, r2tSN: 1, bufferOffset: 12_288, byteCount: 7712))
        #expect(transfer.request(tag: 7) == nil)
        #expect(receive(&transfer, dataOut(tag: 5, dataSN: 0, offset: 4096, isFinal: true), 8192) == 8192)
        #expect(!transfer.isSettled && transfer.request(tag: 8) == nil)
        #expect(receive(&transfer, dataOut(tag: 6, dataSN: 0, offset: 12_288, isFinal: true), 7712) == 7712)
        #expect(transfer.isSettled && !transfer.hasFailed)
        #expect(transfer.r2tCount == 2)
    }

    @Test func dropsWhatTheCommandDoesNotWant() {
        var transfer = TransferStateMachine(
            expectedByteCount: 3000, immediateByteCount: 400, isFinal: false, limits: limits())
        transfer.want(512)
        #expect(receive(&transfer, dataOut(dataSN: 0, offset: 400, isFinal: false), 600) == 112)
        #expect(receive(&transfer, dataOut(dataSN: 1, offset: 1000, isFinal: true), 2000) == 0)
        #expect(transfer.isSettled && !transfer.hasFailed)
        var longer = TransferStateMachine(
            expectedByteCount: 0, immediateByteCount: 512, isFinal: true, limits: limits())
        longer.want(0)
        #expect(longer.isSettled && longer.arrivedByteCount == 0)
    }

    @Test func failsOnEveryBrokenRuleButConsumesToTheEndOfTheSequence() {
        let breaches: [(String, SCSIDataOut, Int, Bool)] = [
            ("first DataSN is not 0", dataOut(dataSN: 27, offset: 0, isFinal: false), 512, true),
            ("DataSN is -1", dataOut(dataSN: .max, offset: 0, isFinal: false), 512, true),
            ("offset runs ahead", dataOut(dataSN: 0, offset: 512, isFinal: false), 512, true),
            ("offset beyond the command", dataOut(dataSN: 0, offset: 0xffff_0000, isFinal: false), 512, true),
            ("more than the first burst", dataOut(dataSN: 0, offset: 0, isFinal: false), 4097, true),
            ("foreign transfer tag", dataOut(tag: 9, dataSN: 0, offset: 0, isFinal: false), 512, true),
            ("damaged data", dataOut(dataSN: 0, offset: 0, isFinal: false), 512, false),
        ]
        for (name, pdu, byteCount, isIntact) in breaches {
            var transfer = TransferStateMachine(
                expectedByteCount: 8192, immediateByteCount: 0, isFinal: false, limits: limits())
            transfer.want(8192)
            #expect(transfer.receive(pdu, byteCount: byteCount, isIntact: isIntact) == 0, "\(name)")
            #expect(transfer.hasFailed && !transfer.isSettled && !transfer.canRequest, "\(name)")
            let last = dataOut(dataSN: 1, offset: 512, isFinal: true)
            #expect(transfer.receive(last, byteCount: 512, isIntact: true) == 0)
            #expect(transfer.isSettled, "\(name)")
        }
    }

    @Test func refusesARepeatedDataSN() {
        var transfer = TransferStateMachine(
            expectedByteCount: 1024, immediateByteCount: 0, isFinal: false, limits: limits())
        transfer.want(1024)
        #expect(receive(&transfer, dataOut(dataSN: 0, offset: 0, isFinal: false), 512) == 512)
        #expect(receive(&transfer, dataOut(dataSN: 0, offset: 512, isFinal: true), 512) == 0)
        #expect(transfer.isSettled && transfer.hasFailed)
    }

    @Test func theFinalBitStandsExactlyAtTheEndOfASolicitedSequence() throws {
        func solicited(_ isFinal: Bool, _ byteCount: Int) throws -> TransferStateMachine {
            var transfer = TransferStateMachine(
                expectedByteCount: 1024, immediateByteCount: 0, isFinal: true, limits: limits())
            transfer.want(1024)
            _ = try #require(request(&transfer, 1))
            _ = transfer.receive(
                dataOut(tag: 1, dataSN: 0, offset: 0, isFinal: isFinal), byteCount: byteCount, isIntact: true)
            return transfer
        }
        #expect(try !solicited(true, 1024).hasFailed)
        #expect(try solicited(true, 512).hasFailed)
        #expect(try solicited(false, 1024).hasFailed)
        #expect(try solicited(true, 1025).hasFailed)
        #expect(try !solicited(false, 512).isSettled)
        for isFinal in [true, false] { #expect(try solicited(isFinal, 1024).isSettled) }
    }

    @Test func unsolicitedDataIsNotTakenWhenR2TComesFirst() throws {
        var transfer = TransferStateMachine(
            expectedByteCount: 1024, immediateByteCount: 0, isFinal: false, limits: limits(initialR2T: true))
        transfer.want(1024)
        #expect(transfer.canRequest)
        _ = try #require(request(&transfer, 1))
        #expect(receive(&transfer, dataOut(dataSN: 0, offset: 0, isFinal: true), 1024) == 0)
        #expect(transfer.hasFailed && transfer.isSettled)
    }

    @Test func consumesUnsolicitedDataOfACommandThatTakesNone() {
        var transfer = TransferStateMachine(
            expectedByteCount: 4096, immediateByteCount: 512, isFinal: false, limits: limits())
        #expect(!transfer.isSettled)
        _ = receive(&transfer, dataOut(dataSN: 0, offset: 512, isFinal: true), 3584)
        #expect(transfer.isSettled && !transfer.canRequest)
    }

    /// A well-behaved initiator of any shape always delivers every byte once; a random one never moves a byte outside.
    @Test func deliversEveryByteOnceOrFails() {
        for seed in UInt64(0)..<1500 {
            var random = SeededRandom(seed: seed)
            let limits = limits(
                initialR2T: random.oneIn(2), firstBurst: 512 + random.below(3000), maxBurst: 512 + random.below(5000),
                outstanding: 1 + random.below(20))
            let expected = random.below(20_000)
            let wanted = random.oneIn(3) ? random.below(expected + 1) : expected
            let immediate = random.below(min(expected, limits.firstBurstByteCount) + 1)
            let isFinal = random.oneIn(2)
            var transfer = TransferStateMachine(
                expectedByteCount: expected, immediateByteCount: immediate, isFinal: isFinal, limits: limits)
            transfer.want(wanted)
            let isHostile = random.oneIn(4)
            var delivered = min(immediate, wanted)
            var arrived = immediate
            var queue: [(tag: UInt32, end: Int)] = []
            if !isFinal, !limits.initialR2T, arrived < min(limits.firstBurstByteCount, expected) {
                let unsolicited = arrived + 1 + random.below(min(limits.firstBurstByteCount, expected) - arrived)
                queue.append((TaskTag.reserved, unsolicited))
            }
            var tag: UInt32 = 1
            var dataSN: UInt32 = 0
            for _ in 0..<400 where !transfer.isSettled {
                while let request = transfer.request(tag: tag) {
                    queue.append((tag, request.bufferOffset + request.byteCount))
                    tag += 1
                }
                guard let current = queue.first else { break }
                let byteCount = min(current.end - arrived, 1 + random.below(2000))
                let isLast = arrived + byteCount == current.end
                var pdu = dataOut(tag: current.tag, dataSN: dataSN, offset: UInt32(arrived), isFinal: isLast)
                if isHostile, random.oneIn(8) { pdu.bufferOffset = UInt32(truncatingIfNeeded: random.next()) }
                if isHostile, random.oneIn(8) { pdu.isFinal.toggle() }
                let place = transfer.arrivedByteCount
                let taken = transfer.receive(pdu, byteCount: byteCount, isIntact: true)
                #expect(taken >= 0 && taken <= byteCount && (taken == 0 || place + taken <= wanted))
                delivered += taken
                arrived += byteCount
                dataSN += 1
                if arrived == current.end {
                    queue.removeFirst()
                    dataSN = 0
                }
            }
            if !isHostile {
                #expect(transfer.isSettled && !transfer.hasFailed, "seed \(seed)")
                #expect(delivered == wanted, "seed \(seed)")
            }
        }
    }
}
