// SPDX-License-Identifier: Apache-2.0
import Bus
import Glibc
import ISCSI
import ISCSIFrontend
import Messages
import Platform
import SCSI
import Synchronization
import TestInitiator
import TestSupport
import Testing
import Wire

/// The whole frontend over TCP and ZeroMQ, against a cache manager in memory.
@Suite(.serialized) struct FrontendTests {
    private static func pattern(_ seed: UInt64, _ count: Int) -> [UInt8] {
        var random = SeededRandom(seed: seed)
        return random.bytes(count)
    }

    @Test func readsBackWhatWasWritten() async throws {
        try await FrontendHarness.run { harness in
            let cache = try harness.cacheManager()
            defer { cache.die() }
            let initiator = try harness.loggedIn()
            // Immediate data, then with R2Ts, then many at once.
            for (index, count) in [512, 4096, 65_536, 1 << 20, 3 << 20].enumerated() {
                let data = Self.pattern(UInt64(index), count)
                let lba = UInt64(index * 8)
                #expect(try initiator.execute([.write(lba: lba, data)])[0].isGood)
                let read = try initiator.execute([.read(lba: lba, sectors: UInt32(count / 512))])[0]
                #expect(read.isGood && read.data == data)
            }
            let many = (0..<100).map { Self.pattern(UInt64(100 + $0), 4096) }
            let writes = many.enumerated().map {
                InitiatorCommand.write(lba: UInt64($0.offset * 8), $0.element, forceUnitAccess: true)
            }
            #expect(try initiator.execute(writes).allSatisfy(\.isGood))
            let reads = (0..<100).map { InitiatorCommand.read(lba: UInt64($0 * 8), sectors: 8) }
            #expect(try initiator.execute(reads).map(\.data) == many)
            #expect(try initiator.execute([.flush])[0].isGood)
            #expect(try initiator.execute([.unmap(lba: 8, sectors: 8)])[0].isGood)
            #expect(try initiator.execute([reads[1]])[0].data == [UInt8](repeating: 0, count: 4096))
            let zero = [UInt8](repeating: 0, count: 512)
            let one = [UInt8](repeating: 1, count: 512)
            #expect(try initiator.execute([.compareAndWrite(lba: 8, expected: zero, new: one)])[0].isGood)
            let miscompare = try initiator.execute([.compareAndWrite(lba: 8, expected: zero, new: one)])[0]
            #expect(miscompare.senseCode?.key == 0x0e)
            try initiator.logout()
        }
    }

    @Test func writesPartOfASector() async throws {
        try await FrontendHarness.run { harness in
            let cache = try harness.cacheManager()
            defer { cache.die() }
            let initiator = try harness.loggedIn()
            let old = Self.pattern(1, 1024)
            #expect(try initiator.execute([.write(lba: 0, old)])[0].isGood)
            // Two sectors are named, but the initiator sends 700 bytes.
            var short = InitiatorCommand.write(lba: 0, Self.pattern(2, 1024))
            short.dataOut = Array(short.dataOut.prefix(700))
            #expect(try initiator.execute([short])[0].isGood)
            let read = try initiator.execute([.read(lba: 0, sectors: 2)])[0].data
            #expect(read == Array(short.dataOut + old[700...]))
        }
    }

    @Test func commandsWaitForACacheManagerThatComesBack() async throws {
        try await FrontendHarness.run { harness in
            var cache = try harness.cacheManager()
            let initiator = Handed(try harness.loggedIn())
            for round in 0..<10 {
                let restart = try IOThread(name: "restart") { [cache] in
                    usleep(useconds_t(round * 300))
                    cache.die()
                }
                let data = Self.pattern(UInt64(round), 4096)
                let writes = (0..<20).map { InitiatorCommand.write(lba: UInt64($0 * 8), data) }
                let comeback = try IOThread(name: "comeback") {
                    restart.join()
                    usleep(50_000)
                }
                let waiting = Waiting()
                let worker = try IOThread(name: "initiator") {
                    waiting.set((try? initiator.value.execute(writes)) ?? [])
                }
                comeback.join()
                cache = try harness.cacheManager(.init(notReadyHellos: round % 3))
                worker.join()
                #expect(waiting.outcomes.count == 20 && waiting.outcomes.allSatisfy(\.isGood), "round \(round)")
                #expect(try initiator.value.execute([.read(lba: 152, sectors: 8)])[0].data == data)
            }
            cache.die()
        }
    }

    /// Two take turns at one volume; each turn is cut short, with answers that were never given.
    @Test func commandsMoveWithTheirVolumeToAnotherCacheManager() async throws {
        try await FrontendHarness.run { harness in
            var cache = try harness.cacheManager(.init(losesEveryNthAnswer: 3))
            let initiator = Handed(try harness.loggedIn())
            var expected = [UInt8](repeating: 0, count: 512)
            for round in UInt8(1)...6 {
                let new = [UInt8](repeating: round, count: 512)
                let waiting = Waiting()
                let command = InitiatorCommand.compareAndWrite(lba: 100, expected: expected, new: new)
                let worker = try IOThread(name: "initiator") {
                    waiting.set((try? initiator.value.execute([command])) ?? [])
                }
                usleep(useconds_t(round) * 400)
                cache.die()
                let manner = MemoryCacheManager.Manner(losesEveryNthAnswer: 3)
                cache = try round % 2 == 1 ? harness.otherCacheManager(manner) : harness.cacheManager(manner)
                worker.join()
                #expect(waiting.outcomes.first?.isGood == true, "round \(round): applied twice, it would miscompare")
                expected = new
            }
            #expect(try initiator.value.execute([.read(lba: 100, sectors: 1)])[0].data == expected)
            cache.die()
        }
    }

    @Test func lostAnswersAreAskedForAgainAndNothingIsDoneTwice() async throws {
        try await FrontendHarness.run { harness in
            let cache = try harness.cacheManager(.init(losesEveryNthAnswer: 5))
            defer { cache.die() }
            let initiator = try harness.loggedIn()
            let zero = [UInt8](repeating: 0, count: 512)
            for step in UInt8(0)..<8 {
                let expected = step == 0 ? zero : [UInt8](repeating: step, count: 512)
                let new = [UInt8](repeating: step + 1, count: 512)
                let outcome = try initiator.execute([.compareAndWrite(lba: 100, expected: expected, new: new)])[0]
                #expect(outcome.isGood, "step \(step)")
            }
            #expect(harness.volume.counts.withLock { $0.repeated } >= 1)
        }
    }

    @Test func commandsAreGivenUpAsBusyWhenTheHoldTimeIsOver() async throws {
        try await FrontendHarness.run(commandHold: .seconds(1)) { harness in
            let cache = try harness.cacheManager()
            let initiator = try harness.loggedIn()
            cache.die()
            let begun = MonotonicClock.now()
            let outcome = try initiator.execute([.write(lba: 0, Self.pattern(1, 512))])[0]
            #expect(outcome.isBusy)
            #expect(MonotonicClock.now().duration(since: begun) >= .seconds(1))
            let again = try harness.cacheManager()
            #expect(try initiator.execute([.write(lba: 0, Self.pattern(1, 512))])[0].isGood)
            again.die()
        }
    }

    @Test func aLoginReplacesTheSessionOfTheSameNexus() async throws {
        try await FrontendHarness.run { harness in
            let cache = try harness.cacheManager()
            defer { cache.die() }
            let first = try harness.loggedIn(1)
            let other = try harness.loggedIn(2)
            let barriers = harness.volume.counts.withLock { $0.barriers }
            let second = try harness.loggedIn(1)
            #expect(harness.volume.counts.withLock { $0.barriers } == barriers + 1)
            #expect(throws: InitiatorError.self) { try first.execute([.testUnitReady]) }
            #expect(try second.execute([.testUnitReady])[0].isGood)
            #expect(try other.execute([.testUnitReady])[0].isGood)
        }
    }

    @Test func anAbortedCommandIsNeverSentAgain() async throws {
        try await FrontendHarness.run { harness in
            let cache = try harness.cacheManager(.init(holdsCommands: true))
            defer { cache.die() }
            _ = try harness.loggedIn(2)
            let raw = try RawInitiator(port: harness.port)
            #expect(try raw.logIn(harness.volume.name).0.status == 0)
            var read = SCSICommand()
            (read.isRead, read.isImmediate, read.expectedDataTransferLength) = (true, true, 512)
            read.cdb = CDB(rawValue: UInt128(0x88) << 120 | UInt128(1) << 16)
            raw.send(read)
            let (attention, _) = try #require(try raw.receive())
            #expect(SCSIResponse(decoding: attention)?.status == 2)
            let before = harness.volume.counts.withLock { $0.arrivals.keys.max() ?? 0 }
            for tag in UInt32(1)...2 {
                read.initiatorTaskTag = tag
                raw.send(read)
            }
            while harness.volume.counts.withLock({ $0.arrivals[before + 2] == nil }) { usleep(1000) }
            var abort = TaskManagementRequest()
            (abort.isImmediate, abort.function, abort.initiatorTaskTag) = (true, 1, 3)
            abort.referencedTaskTag = 1
            raw.send(abort)
            let (answer, _) = try #require(try raw.receive())
            #expect(TaskManagementResponse(decoding: answer)?.response == 0)
            // The other one was swept away with it and is asked for again at once; the aborted one never.
            while harness.volume.counts.withLock({ $0.arrivals[before + 2] == 1 }) { usleep(1000) }
            usleep(1_300_000)
            #expect(harness.volume.counts.withLock { $0.arrivals[before + 1] } == 1)
            // Two aborts that were on their way cost a barrier each; a reset that finds nothing costs none.
            let barriers = harness.volume.counts.withLock { $0.barriers }
            (abort.initiatorTaskTag, abort.referencedTaskTag) = (4, 2)
            raw.send(abort)
            #expect(try TaskManagementResponse(decoding: #require(try raw.receive()).header)?.response == 0)
            #expect(harness.volume.counts.withLock { $0.barriers } == barriers + 1)
            (abort.function, abort.initiatorTaskTag, abort.referencedTaskTag) = (5, 5, .max)
            raw.send(abort)
            #expect(try TaskManagementResponse(decoding: #require(try raw.receive()).header)?.response == 0)
            #expect(harness.volume.counts.withLock { $0.barriers } == barriers + 1)
        }
    }

    /// A login waits for its barrier while the cache manager is away; who has gone meanwhile needs none.
    @Test func aLoginWhosePeerHasGoneLeavesNoBarrierBehind() async throws {
        try await FrontendHarness.run { harness in
            let cache = try harness.cacheManager()
            _ = try harness.loggedIn(2)
            cache.die()
            let barriers = harness.volume.counts.withLock { $0.barriers }
            for _ in 0..<5 {
                let raw = try RawInitiator(port: harness.port)
                let names = [
                    TextPair("InitiatorName", "iqn.2026-11.com.example:raw"),
                    TextPair("TargetName", harness.volume.name),
                ]
                raw.send(raw.login, data: TextKeys.encode(names))
                usleep(50_000)
            }
            usleep(200_000)
            let again = try harness.cacheManager()
            defer { again.die() }
            _ = try harness.loggedIn(1)
            #expect(harness.volume.counts.withLock { $0.barriers } == barriers + 1)
        }
    }

    @Test func aRevokedFrontendComesBackAsANewInstance() async throws {
        try await FrontendHarness.run { harness in
            let cache = try harness.cacheManager()
            let initiator = try harness.loggedIn()
            let data = Self.pattern(9, 512)
            #expect(try initiator.execute([.write(lba: 0, data)])[0].isGood)
            cache.die()
            let other = try harness.cacheManager(.init(revokes: true))
            defer { other.die() }
            while (try? initiator.execute([.testUnitReady])) != nil { usleep(5_000) }
            let again = try harness.loggedIn()
            #expect(try again.execute([.read(lba: 0, sectors: 1)])[0].data == data)
        }
    }

    @Test func knowsATargetAsSoonAsItsVolumeExists() async throws {
        try await FrontendHarness.run { harness in
            // Without a list nobody can say that a target does not exist: come back later.
            let early = harness.initiator()
            #expect(throws: InitiatorError.loginRefused(status: 0x0301)) {
                try early.login(target: harness.volume.name)
            }
            let cache = try harness.cacheManager()
            defer { cache.die() }
            _ = try harness.loggedIn()
            let wrong = harness.initiator(5)
            #expect(throws: InitiatorError.loginRefused(status: 0x0203)) {
                try wrong.login(target: "iqn.2026-11.io.sluice:other")
            }
            try harness.initiator(6).login(target: nil)
        }
    }
}

/// An initiator that one thread uses at a time: the proof for `@unchecked Sendable`.
private final class Handed: @unchecked Sendable {
    let value: Initiator
    init(_ value: Initiator) { self.value = value }
}

/// Outcomes from another thread, read after it was joined: the proof for `@unchecked Sendable`.
private final class Waiting: @unchecked Sendable {
    private(set) var outcomes: [CommandOutcome] = []
    func set(_ outcomes: [CommandOutcome]) { self.outcomes = outcomes }
}
