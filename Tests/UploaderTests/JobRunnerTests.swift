// SPDX-License-Identifier: Apache-2.0
import Bus
import Messages
import ObjectStorage
import Synchronization
import TestSupport
import Testing
import Uploader
import Wire

struct JobRunnerTests {
    private let bucket: TemporaryBucket
    private let store: GatedStore

    init() throws {
        bucket = try TemporaryBucket()
        store = GatedStore(try bucket.openStore())
    }

    private func runner(writeSlots: Int = 1, readSlots: Int = 2) throws -> JobRunner {
        JobRunner(
            executor: JobExecutor(store: store, threads: try BlockingThreads(name: "test", count: 1)),
            writeSlots: writeSlots, readSlots: readSlots)
    }

    private func job(_ id: UInt64, _ work: UploadJob.Work) -> UploadJob {
        UploadJob(id: id, work: work, timeoutMilliseconds: 1000)
    }

    /// All answers to one job.
    private func answers(
        _ runner: JobRunner, _ job: UploadJob, clock: some Clock<Duration> = StoppedClock()
    ) async -> [JobAnswer] {
        let answers = Mutex<[JobAnswer]>([])
        await runner.run(job, payload: [Frame([1])], clock: clock) { answer in
            answers.withLock { $0.append(answer) }
        }
        return answers.withLock { $0 }
    }

    @Test func aJobIsAnsweredOnce() async throws {
        store.open()
        let put = await answers(try runner(), job(1, .putObject(key: ObjectKey("a"), precondition: .absent)))
        #expect(put.count == 1)
        guard case .success = put.first?.outcome else {
            Issue.record("\(put)")
            return
        }
    }

    @Test func aWriteThatHangsIsAmbiguousInTimeAndKeepsItsSlot() async throws {
        let runner = try runner()
        let (stream, sink) = AsyncStream.makeStream(of: JobAnswer.self)
        let job = job(1, .putObject(key: ObjectKey("a"), precondition: .absent))
        let clock = HeldClock()
        async let ended: Void = runner.run(job, payload: [Frame([1])], clock: clock) { sink.yield($0) }
        await store.waitUntilEntered()
        clock.release()
        var iterator = stream.makeAsyncIterator()
        guard case .ambiguous = await iterator.next()?.outcome else {
            Issue.record("not ambiguous")
            return
        }
        #expect(runner.capacity.freeWriteSlots == 0)
        #expect(runner.capacity.freeReadSlots == 2)
        store.open()
        await ended
        #expect(runner.capacity.freeWriteSlots == 1)
        sink.finish()
        #expect(await iterator.next() == nil)
    }

    @Test func aReadThatHangsIsUnavailable() async throws {
        let runner = try runner()
        let (stream, sink) = AsyncStream.makeStream(of: JobAnswer.self)
        let job = job(1, .getObject(key: ObjectKey("a")))
        let clock = HeldClock()
        async let ended: Void = runner.run(job, payload: [], clock: clock) { sink.yield($0) }
        await store.waitUntilEntered()
        clock.release()
        var iterator = stream.makeAsyncIterator()
        guard case .unavailable = await iterator.next()?.outcome else {
            Issue.record("not unavailable")
            return
        }
        store.open()
        await ended
    }

    @Test func aWriteThatWasGivenUpBeforeItsTurnNeverHappens() async throws {
        let runner = try runner()
        let first = job(1, .putObject(key: ObjectKey("first"), precondition: .absent))
        async let running: Void = runner.run(first, payload: [Frame([1])], clock: StoppedClock()) { _ in }
        await store.waitUntilEntered()
        // The only slot is taken, and time runs out at once for the second.
        let (stream, sink) = AsyncStream.makeStream(of: JobAnswer.self)
        let second = job(2, .putObject(key: ObjectKey("second"), precondition: .absent))
        async let waiting: Void = runner.run(second, payload: [Frame([2])], clock: RunOutClock()) { sink.yield($0) }
        var iterator = stream.makeAsyncIterator()
        #expect(await iterator.next()?.outcome == .unavailable(reason: "no slot was free in time"))
        store.open()
        await running
        await waiting
        #expect(try await store.keys(prefix: "").reduce(into: []) { $0.append($1.name) } == ["first"])
    }

    @Test func readsDoNotWaitForWrites() async throws {
        let runner = try runner()
        let write = job(1, .putObject(key: ObjectKey("a"), precondition: .absent))
        async let writing: Void = runner.run(write, payload: [Frame([1])], clock: StoppedClock()) { _ in }
        await store.waitUntilEntered()
        let listed = await answers(runner, job(2, .listFolders(prefix: "")))
        #expect(listed == [JobAnswer(.success(etag: nil, storedByteCount: 0))])
        store.open()
        await writing
    }
}

struct JobLaneTests {
    @Test func slotsAreGivenInTheOrderOfAsking() async {
        let lane = JobLane(slotCount: 1)
        #expect(await lane.enter())
        #expect(lane.freeCount == 0)
        let order = Recorder()
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<3 {
                group.addTask {
                    _ = await lane.enter()
                    order.append(number)
                    lane.leave()
                }
                // The next asks only when this one waits.
                while lane.waitingCount <= number { await Task.yield() }
            }
            lane.leave()
        }
        #expect(order.numbers == [0, 1, 2])
        #expect(lane.freeCount == 1)
    }

    @Test func tooManyWaitersAreSentAway() async {
        let lane = JobLane(slotCount: 1)
        #expect(await lane.enter())
        await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<4 { group.addTask { await lane.enter() } }
            while lane.waitingCount < 4 { await Task.yield() }
            #expect(await !lane.enter())
            for _ in 0..<4 { lane.leave() }
            for await isEntered in group { #expect(isEntered) }
        }
        lane.leave()
        #expect(lane.freeCount == 1)
    }
}

private final class Recorder: Sendable {
    private let list = Mutex<[Int]>([])
    var numbers: [Int] { list.withLock { $0 } }
    func append(_ number: Int) { list.withLock { $0.append(number) } }
}

/// Objects and their GETs and PUTs wait at a gate until it is opened.
private final class GatedStore: ObjectStore {
    private struct State {
        var isOpen = false
        var entered = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
    }
    private let store: DirectoryObjectStore
    private let state = Mutex(State())
    var location: String { store.location }

    init(_ store: DirectoryObjectStore) { self.store = store }

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    func waitUntilEntered() async {
        while state.withLock({ $0.entered }) == 0 { await Task.yield() }
    }

    private func gate() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                state.entered += 1
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }

    func put(
        _ key: ObjectKey, _ bytes: [UInt8], _ precondition: WritePrecondition
    ) async throws(ObjectStoreError) -> EntityTag {
        await gate()
        return try await store.put(key, bytes, precondition)
    }
    func get(_ key: ObjectKey) async throws(ObjectStoreError) -> ObjectContents {
        await gate()
        return try await store.get(key)
    }
    func getRange(
        _ key: ObjectKey, byteOffset: UInt64, byteCount: Int
    ) async throws(ObjectStoreError) -> [UInt8] {
        try await store.getRange(key, byteOffset: byteOffset, byteCount: byteCount)
    }
    func byteCount(of key: ObjectKey) async throws(ObjectStoreError) -> UInt64 {
        try await store.byteCount(of: key)
    }
    func delete(_ key: ObjectKey) async throws(ObjectStoreError) { try await store.delete(key) }
    func list(prefix: String, after: ObjectKey?, limit: Int) async throws(ObjectStoreError) -> ObjectPage {
        try await store.list(prefix: prefix, after: after, limit: limit)
    }
}
