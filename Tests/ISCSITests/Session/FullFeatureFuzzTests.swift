// SPDX-License-Identifier: Apache-2.0
import ISCSI
import SCSI
import TestSupport
import Testing
import Wire

/// Random PDUs, nearly right and utterly wrong, against an owner that answers late or never. Nothing may trap; data is
/// only ever placed inside of what a command wants; slots are never lost.
struct FullFeatureFuzzTests {
    private struct Owner {
        var wanted: [Int: Int] = [:]
        var executing: [Int] = []
        var answering: [(task: Int, sequence: DataInSequence)] = []
    }

    @Test func neverTrapsAndNeverPlacesDataOutside() {
        var executed = 0
        for seed in UInt64(0)..<400 {
            var random = SeededRandom(seed: seed)
            let harness = FullFeatureHarness(discovery: random.oneIn(12), windowDepth: 4) {
                $0.initialR2T = random.oneIn(2)
                $0.firstBurstByteCount = 512 + random.below(2048)
                $0.maxBurstByteCount = 512 + random.below(4096)
                $0.initiatorDataSegmentLimit = 512
                $0.maxOutstandingR2T = 1 + random.below(4)
            }
            var owner = Owner()
            for _ in 0..<120 {
                let data = random.bytes(random.oneIn(2) ? 0 : random.below(1500))
                let additional = random.oneIn(15) ? random.bytes(4 * random.below(6)) : []
                harness.actions.removeAll()
                harness.deliver(
                    header: Self.header(&random, harness, data.count, additional.count), data: data,
                    additional: additional, isIntact: !random.oneIn(20))
                Self.carryOut(harness, &owner, &random)
                executed += owner.executing.count
                #expect(harness.output.bytes.count < 1 << 20)
                if random.oneIn(5) { harness.output.bytes.removeAll() }
            }
        }
        #expect(executed > 100)
    }

    private static func header(
        _ random: inout SeededRandom, _ harness: FullFeatureHarness, _ dataByteCount: Int, _ additional: Int
    ) -> HeaderBytes {
        let noise = random.bytes(48)
        var header = HeaderBytes { noise[$0] }
        if random.oneIn(20) { return header }
        header[0] = UInt8([0, 1, 1, 1, 2, 4, 5, 5, 5, 6][random.below(random.oneIn(6) ? 10 : 9)])
        if random.oneIn(4) { header[0] |= 0x40 }
        for index in 8..<24 { header[index] = 0 }
        header[19] = UInt8(random.below(6))
        header[22] = UInt8(random.below(8))
        header[23] = UInt8(random.below(256))
        if random.oneIn(2) { for index in 20..<24 { header[index] = header[0] & 0x3f == 1 ? 0 : 0xff } }
        if header[0] & 0x3f == 1 { header[22] = UInt8(random.below(12)) }
        let number = harness.machine.window.expCmdSN.rawValue
        for index in 0..<4 { header[24 + index] = UInt8(truncatingIfNeeded: number >> UInt32(24 - 8 * index)) }
        for index in 36..<44 where header[0] & 0x3f == 5 { header[index] = 0 }
        if header[0] & 0x3f == 5, random.oneIn(2) { header[39] = UInt8(random.below(3)) }
        return header
    }

    /// Does what an owner does, now and then.
    private static func carryOut(
        _ harness: FullFeatureHarness, _ owner: inout Owner, _ random: inout SeededRandom
    ) {
        var index = 0
        while index < harness.actions.count {
            defer { index += 1 }
            switch harness.actions[index] {
            case .command(let task, let immediate):
                if random.oneIn(4) {
                    harness.finish(task, status: 2)
                    continue
                }
                let wanted = random.below(6000)
                let expected = Int(harness.machine.command(of: task).expectedDataTransferLength)
                let count = harness.machine.begin(
                    task, dataOutByteCount: wanted, output: &harness.output, actions: &harness.actions)
                #expect(count <= wanted && count <= immediate.count && count <= expected)
                owner.wanted[task] = min(wanted, expected)
            case .data(let task, let offset, let bytes):
                #expect(offset >= 0 && offset + bytes.count <= owner.wanted[task] ?? 0)
            case .wantsData(let task):
                harness.machine.requestData(task, output: &harness.output)
            case .execute(let task):
                owner.executing.append(task)
            case .released(let task):
                owner.wanted[task] = nil
                #expect(!owner.executing.contains(task))
            case .manage(let management):
                if random.oneIn(2) { harness.machine.answer(management, .complete, &harness.output) }
            case .logout(let request):
                harness.machine.answerLogout(request, response: 0, &harness.output)
            case .close:
                break
            }
            if index == harness.actions.count - 1 { completeSome(harness, &owner, &random) }
        }
    }

    private static func completeSome(
        _ harness: FullFeatureHarness, _ owner: inout Owner, _ random: inout SeededRandom
    ) {
        while !owner.executing.isEmpty, !random.oneIn(3) {
            let task = owner.executing.remove(at: random.below(owner.executing.count))
            if random.oneIn(2) {
                harness.finish(task, byteCount: random.below(3000))
            } else if let sequence = harness.machine.beginDataIn(
                task, byteCount: random.below(3000), &harness.output, &harness.actions)
            {
                owner.answering.append((task, sequence))
            }
        }
        while !owner.answering.isEmpty, !random.oneIn(4) {
            let place = random.below(owner.answering.count)
            let task = owner.answering[place].task
            let piece = harness.machine.nextDataIn(task, &owner.answering[place].sequence, &harness.actions)
            if piece == nil || owner.answering[place].sequence.isOver { owner.answering.remove(at: place) }
        }
    }
}
