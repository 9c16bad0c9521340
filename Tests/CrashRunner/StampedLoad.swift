// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestInitiator
import Wire

/// One initiator that writes stamped blocks, reads them back and increments the shared counter, until it is told to
/// stop. It owns the blocks whose number modulo the number of initiators is its index.
///
/// Everything but the flag belongs to the load's thread until `finished` was signalled, then to whoever verifies:
/// the proof for `Sendable`.
final class StampedLoad: @unchecked Sendable {
    struct Plan {
        var host = "127.0.0.1"
        var port: UInt16
        var target: String
        var volume: UInt64
        var index: Int
        var initiatorCount: Int
        var blockCount: UInt64
        var seed: UInt64
    }

    private let plan: Plan
    private var random: LoadRandom
    private(set) var oracle = BlockOracle()
    private(set) var counter = CounterOracle()
    private(set) var complaints: [String] = []
    private(set) var commandCount = 0
    private(set) var lossCount = 0
    private(set) var busyCount = 0
    enum Kind: CaseIterable { case read, write }
    /// The longest time from the wish to do something to its end, however many logins and attempts that took. A read
    /// may have to wait for the bucket, a write never.
    private(set) var longestPause: [Kind: TimeInterval] = [:]
    private var wishedAt = Date()
    private var wish: Kind?
    private let failure = StopFlag()
    private let stopping: StopFlag
    let finished = DispatchSemaphore(value: 0)
    private let initiator: Initiator

    init(_ plan: Plan, stopping: StopFlag) {
        self.plan = plan
        self.stopping = stopping
        random = LoadRandom(state: plan.seed &+ UInt64(plan.index) &* 7919)
        initiator = Initiator(
            host: plan.host, port: plan.port, name: "iqn.2026-11.test.crash:initiator-\(plan.index)",
            isid: 0x8000_0000_0000 | UInt64(plan.index + 1), timeoutSeconds: 40)
    }

    /// From any thread: something was complained about.
    var hasFailed: Bool { failure.isSet }

    func main() {
        wishedAt = Date()
        while !stopping.isSet, complaints.count < 5 { round() }
        finished.signal()
    }

    private func round() {
        guard connect() else { return }
        let choice = random.next() % 10
        // What is interrupted is repeated as something else; the pause is still that of the first wish.
        let kind = wish ?? (choice < 2 ? .read : .write)
        wish = kind
        switch choice {
        case 0: readBack()
        case 1: increment()
        case 2: run([.flush], blocks: [])
        default: write()
        }
        if !complaints.isEmpty { failure.set() }
        // A round that lost its connection is not over: the next one goes on with the same wish.
        guard initiator.isConnected else { return }
        let now = Date()
        let pause = now.timeIntervalSince(wishedAt)
        longestPause[kind] = max(longestPause[kind] ?? 0, pause)
        // To be looked for in the gateway's log.
        if pause > 5 {
            say("a \(kind) of initiator \(plan.index) took \(String(format: "%.1f", pause)) s until \(now)")
        }
        wishedAt = now
        wish = nil
    }

    private func connect() -> Bool {
        if initiator.isConnected { return true }
        do {
            try initiator.login(target: plan.target)
            return true
        } catch {
            usleep(20_000)
            return false
        }
    }

    private func ownBlock() -> UInt64 {
        let count = UInt64(plan.initiatorCount)
        return (random.next() % (plan.blockCount / count)) * count + UInt64(plan.index)
    }

    /// Several stamped writes at once, sometimes of neighbouring own blocks, sometimes with FUA.
    private func write() {
        var commands: [InitiatorCommand] = []
        var blocks: [(UInt64, UInt64)] = []
        for _ in 0..<(1 + random.next() % 8) {
            let block = ownBlock()
            guard !blocks.contains(where: { $0.0 == block }) else { continue }
            let sequence = oracle.nextSequence()
            blocks.append((block, sequence))
            commands.append(
                .write(
                    lba: block * 8, BlockStamp.bytes(volume: plan.volume, block: block, sequence: sequence),
                    forceUnitAccess: random.next() % 8 == 0))
        }
        run(commands, blocks: blocks)
    }

    private func run(_ commands: [InitiatorCommand], blocks: [(UInt64, UInt64)]) {
        commandCount += commands.count
        var waiting = Array(zip(commands, blocks.map(Optional.some) + [nil]))
        if blocks.isEmpty { waiting = commands.map { ($0, nil) } }
        for _ in 0..<200 where !waiting.isEmpty {
            do {
                let outcomes = try initiator.execute(waiting.map(\.0)) { known in
                    for (outcome, (_, block)) in zip(known, waiting) {
                        guard let block else { continue }
                        if outcome?.isGood == true {
                            oracle.didAcknowledge(block.0, block.1)
                        } else {
                            oracle.didLose(block.0, block.1)
                        }
                    }
                }
                var again: [(InitiatorCommand, (UInt64, UInt64)?)] = []
                for (outcome, pair) in zip(outcomes, waiting) {
                    if outcome.isGood {
                        if let block = pair.1 { oracle.didAcknowledge(block.0, block.1) }
                    } else if outcome.isBusy {
                        busyCount += 1
                        again.append(pair)
                    } else {
                        complaints.append("a command failed: \(outcome)")
                    }
                }
                waiting = again
                if !again.isEmpty { usleep(20_000) }
            } catch {
                lossCount += 1
                return
            }
        }
        if !waiting.isEmpty { complaints.append("a command was answered BUSY for too long") }
    }

    private func readBack() {
        let blocks = (0..<8).map { _ in ownBlock() }
        guard let outcomes = try? initiator.execute(blocks.map { .read(lba: $0 * 8, sectors: 8) }) else {
            lossCount += 1
            return
        }
        busyCount += outcomes.count { $0.isBusy }
        for (block, outcome) in zip(blocks, outcomes) where !outcome.isBusy {
            guard outcome.isGood else {
                complaints.append("reading block \(block) failed: \(outcome.status) \(outcome.sense)")
                continue
            }
            if let complaint = oracle.complaint(
                block, holds: BlockStamp.sequence(in: outcome.data[...], volume: plan.volume, block: block))
            {
                complaints.append(complaint)
            }
        }
    }

    /// Raises the shared counter by COMPARE AND WRITE, once: whatever happens to the answers, exactly once or not at
    /// all.
    private func increment() {
        let lba = plan.blockCount * 8
        guard let outcome = try? initiator.execute([.read(lba: lba, sectors: 1)]).first, outcome.isGood else { return }
        let current = CounterBlock(outcome.data)
        if let complaint = counter.settle(current.shares[plan.index]) { complaints.append(complaint) }
        var next = current
        next.shares[plan.index] += 1
        next.total += 1
        do {
            let result = try initiator.execute([
                .compareAndWrite(lba: lba, expected: current.bytes, new: next.bytes)
            ])
            guard let result = result.first else { return }
            if result.isGood {
                counter.didIncrement()
            } else if result.senseCode?.key != 0x0e, !result.isBusy {
                complaints.append("COMPARE AND WRITE failed: \(result)")
            }
        } catch {
            counter.didLose()
            lossCount += 1
        }
    }

    /// Everything once more at the end, with nobody being killed.
    func verify() {
        let blocks = oracle.blocks
        for start in stride(from: 0, to: blocks.count, by: 128) {
            let part = blocks[start..<min(start + 128, blocks.count)]
            for (block, outcome) in zip(part, patiently(part.map { .read(lba: $0 * 8, sectors: 8) })) {
                guard let outcome, outcome.isGood else {
                    complaints.append("block \(block) cannot be read: \(outcome.map { "\($0)" } ?? "no answer")")
                    continue
                }
                if let complaint = oracle.complaint(
                    block, holds: BlockStamp.sequence(in: outcome.data[...], volume: plan.volume, block: block))
                {
                    complaints.append(complaint)
                }
            }
        }
        if let outcome = patiently([.read(lba: plan.blockCount * 8, sectors: 1)])[0], outcome.isGood {
            let block = CounterBlock(outcome.data)
            if let complaint = counter.settle(block.shares[plan.index]) { complaints.append(complaint) }
            if block.total != block.shares.reduce(0, +) {
                complaints.append("the counter's shares do not add up: \(block)")
            }
        } else {
            complaints.append("the counter cannot be read")
        }
        try? initiator.logout()
    }

    /// Repeats what was answered with BUSY or not at all, as operating systems do.
    private func patiently(_ commands: [InitiatorCommand]) -> [CommandOutcome?] {
        var outcomes = [CommandOutcome?](repeating: nil, count: commands.count)
        for _ in 0..<100 {
            let open = commands.indices.filter { outcomes[$0].map(\.isBusy) ?? true }
            if open.isEmpty { break }
            if connect(), let answers = try? initiator.execute(open.map { commands[$0] }) {
                for (index, answer) in zip(open, answers) { outcomes[index] = answer }
                if answers.contains(where: \.isBusy) { usleep(100_000) }
            } else {
                usleep(100_000)
            }
        }
        return outcomes
    }
}

/// The shared counter: a total and every initiator's share of it, in one sector.
struct CounterBlock {
    var total: UInt64
    var shares: [UInt64]

    init(_ bytes: [UInt8]) {
        func word(_ index: Int) -> UInt64 {
            (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[index * 8 + $1]) << UInt64(8 * $1) }
        }
        total = word(0)
        shares = (1...8).map(word)
    }

    var bytes: [UInt8] {
        let words = [total] + shares
        return words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) } }
            + [UInt8](repeating: 0, count: 512 - words.count * 8)
    }
}

/// How far this initiator's share of the counter must have got.
struct CounterOracle {
    private(set) var confirmed: UInt64 = 0
    private var isOneUnknown = false

    mutating func didIncrement() { confirmed += 1 }
    mutating func didLose() { isOneUnknown = true }

    /// The share as read, with nothing under way. - Returns: what is wrong with it.
    mutating func settle(_ share: UInt64) -> String? {
        let isRight = share == confirmed || isOneUnknown && share == confirmed + 1
        let complaint = isRight ? nil : "the counter's share is \(share), \(confirmed) increments were confirmed"
        confirmed = share
        isOneUnknown = false
        return complaint
    }
}

final class StopFlag: @unchecked Sendable {
    private let lock = NSLock()
    private var value = false
    var isSet: Bool { lock.withLock { value } }
    func set() { lock.withLock { value = true } }
}

struct LoadRandom {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= SplitMix64.step
        return SplitMix64.finish(state)
    }
}
