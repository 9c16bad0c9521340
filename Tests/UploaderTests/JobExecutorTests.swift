// SPDX-License-Identifier: Apache-2.0
import Bus
import Engine
import Messages
import ObjectStorage
import TestSupport
import Testing
import Uploader
import Wire

struct JobExecutorTests {
    private let bucket: TemporaryBucket
    private let store: DirectoryObjectStore
    private let executor: JobExecutor
    private let sample = PackSample()

    init() throws {
        bucket = try TemporaryBucket()
        store = try bucket.openStore()
        executor = JobExecutor(store: store, threads: try BlockingThreads(name: "test", count: 1))
    }

    private func executor(
        breakage: FaultyObjectStore.Breakage = [], _ set: (inout FaultyObjectStore.Rates) -> Void = { _ in }
    ) throws -> JobExecutor {
        var rates = FaultyObjectStore.Rates()
        set(&rates)
        let faulty = FaultyObjectStore(store, seed: 3, rates: rates, breakage: breakage)
        let policy = RetryPolicy(
            firstPause: .microseconds(1), maximumPause: .microseconds(2), deadline: .microseconds(10))
        return JobExecutor(store: faulty, threads: try BlockingThreads(name: "test", count: 1), retry: policy)
    }

    private func putSample() async -> JobAnswer {
        await executor.execute(
            .putPack(key: sample.key, plan: sample.plan.encoded()), payload: [Frame(sample.blocks)])
    }

    @Test func aPackIsStoredAndItsDirectoryComesBack() async throws {
        let answer = await putSample()
        guard case .success(let tag?, let byteCount) = answer.outcome else {
            Issue.record("\(answer.outcome)")
            return
        }
        let stored = try await store.get(sample.key)
        #expect(stored.tag == tag)
        #expect(UInt64(stored.bytes.count) == byteCount)
        let directory = try PackFormat.decodeDirectory(answer.payload, expecting: sample.volume, sample.name)
        #expect(directory.frames.map(\.blocks) == sample.plan.frames.map(\.blocks))
        #expect(directory.zeroRuns == sample.plan.zeroRuns)
        // What the cache manager makes of it: the directory ends where the footer starts.
        let start = Int(byteCount) - PackFooter.byteCount - answer.payload.count
        #expect(Array(stored.bytes[start..<start + answer.payload.count]) == answer.payload)
    }

    @Test func everyFrameOfAStoredPackCanBeFetched() async throws {
        let answer = await putSample()
        let directory = try PackFormat.decodeDirectory(answer.payload, expecting: sample.volume, sample.name)
        var blocks: [UInt8] = []
        for frame in directory.frames {
            let fetched = await executor.execute(
                .getFrames(key: sample.key, byteOffset: UInt64(frame.byteOffset), byteCounts: [frame.byteCount]),
                payload: [])
            let contents = try FrameContents(decoding: fetched.payload)
            #expect(contents.blocks == frame.blocks)
            blocks += contents.bytes
        }
        #expect(blocks == sample.blocks)
    }

    @Test func neighboursAreFetchedWithOneRequest() async throws {
        let answer = await putSample()
        let directory = try PackFormat.decodeDirectory(answer.payload, expecting: sample.volume, sample.name)
        let fetched = await executor.execute(
            .getFrames(
                key: sample.key, byteOffset: UInt64(directory.frames[0].byteOffset),
                byteCounts: directory.frames.map(\.byteCount)), payload: [])
        let contents = try fetched.payloads.map { try FrameContents(decoding: $0) }
        #expect(contents.map(\.blocks) == directory.frames.map(\.blocks))
        #expect(contents.flatMap(\.bytes) == sample.blocks)
    }

    @Test func noFramesAndTooManyAreRefused() async {
        for count in [0, MessageLimits.payloadFrameCount + 1] {
            let answer = await executor.execute(
                .getFrames(key: sample.key, byteOffset: 0, byteCounts: [UInt32](repeating: 64, count: count)),
                payload: [])
            guard case .refused = answer.outcome else {
                Issue.record("\(answer.outcome)")
                continue
            }
        }
    }

    @Test func blocksThatDoNotMatchTheirPlanAreNeverStored() async throws {
        var blocks = sample.blocks
        blocks[5000] ^= 1
        for payload in [[Frame(blocks)], [Frame(Array(sample.blocks.dropLast(4096)))], []] {
            let answer = await executor.execute(
                .putPack(key: sample.key, plan: sample.plan.encoded()), payload: payload)
            guard case .corrupt = answer.outcome else {
                Issue.record("\(answer.outcome)")
                return
            }
        }
        #expect(try await store.list(prefix: "", after: nil, limit: 1).keys.isEmpty)
    }

    @Test func aPackOfZerosNeedsNoPayload() async throws {
        var plan = sample.plan
        plan.frames = []
        let answer = await executor.execute(.putPack(key: sample.key, plan: plan.encoded()), payload: [])
        let directory = try PackFormat.decodeDirectory(answer.payload, expecting: sample.volume, sample.name)
        #expect(directory.frames.isEmpty && directory.zeroRuns == plan.zeroRuns)
    }

    @Test func aPackIsNotStoredUnderAnotherName() async throws {
        let other = BucketLayout.dataPack(sample.volume, PackName(generation: 1, start: 2, number: 4))
        let answer = await executor.execute(
            .putPack(key: other, plan: sample.plan.encoded()), payload: [Frame(sample.blocks)])
        guard case .corrupt = answer.outcome else {
            Issue.record("\(answer.outcome)")
            return
        }
        #expect(try await store.list(prefix: "", after: nil, limit: 1).keys.isEmpty)
    }

    @Test func aPackNeverReplacesAnother() async throws {
        _ = await putSample()
        let before = try await store.get(sample.key)
        let second = PackSample(seed: 2)
        let answer = await executor.execute(
            .putPack(key: second.key, plan: second.plan.encoded()), payload: [Frame(second.blocks)])
        #expect(answer.outcome == .preconditionFailed)
        #expect(try await store.get(sample.key) == before)
    }

    @Test func objectsGoInAndOutUnderTheirConditions() async throws {
        let key = ObjectKey("volumes/vol-1/HEAD")
        let created = await executor.execute(.putObject(key: key, precondition: .absent), payload: [Frame([1, 2, 3])])
        guard case .success(let tag?, 3) = created.outcome else {
            Issue.record("\(created.outcome)")
            return
        }
        let read = await executor.execute(.getObject(key: key), payload: [])
        #expect(read == JobAnswer(.success(etag: tag, storedByteCount: 3), payload: [1, 2, 3]))
        let again = await executor.execute(.putObject(key: key, precondition: .absent), payload: [Frame([4])])
        #expect(again.outcome == .preconditionFailed)
        let missing = ObjectKey("volumes/vol-2/HEAD")
        let replaced = await executor.execute(
            .putObject(key: missing, precondition: .matches(tag)), payload: [Frame([4])])
        #expect(replaced.outcome == .notFound)
    }

    @Test func aShortRangeIsAFailure() async throws {
        let key = ObjectKey("a")
        _ = try await store.put(key, [1, 2, 3, 4], .absent)
        let whole = await executor.execute(.getRange(key: key, byteOffset: 1, byteCount: 3), payload: [])
        #expect(whole == JobAnswer(.success(etag: nil, storedByteCount: 3), payload: [2, 3, 4]))
        let short = await executor.execute(.getRange(key: key, byteOffset: 1, byteCount: 4), payload: [])
        guard case .corrupt = short.outcome else {
            Issue.record("\(short.outcome)")
            return
        }
        #expect(short.payload.isEmpty)
    }

    @Test func aDamagedFrameIsNeverPassedOn() async throws {
        let answer = await putSample()
        let directory = try PackFormat.decodeDirectory(answer.payload, expecting: sample.volume, sample.name)
        let damaged = try executor(breakage: .flipsBits)
        for frame in directory.frames {
            let fetched = await damaged.execute(
                .getFrames(key: sample.key, byteOffset: UInt64(frame.byteOffset), byteCounts: [frame.byteCount]),
                payload: [])
            guard case .corrupt = fetched.outcome else {
                Issue.record("\(fetched.outcome)")
                continue
            }
            #expect(fetched.payload.isEmpty)
        }
    }

    @Test func whatWasDamagedOnTheWayIsFetchedAgain() async throws {
        let answer = await putSample()
        let directory = try PackFormat.decodeDirectory(answer.payload, expecting: sample.volume, sample.name)
        let faulty = try executor { $0.shortBody = 0.2 }
        for frame in directory.frames {
            let fetched = await faulty.execute(
                .getFrames(key: sample.key, byteOffset: UInt64(frame.byteOffset), byteCounts: [frame.byteCount]),
                payload: [])
            #expect(!fetched.payload.isEmpty, "\(fetched.outcome)")
        }
    }

    @Test func aFrameOfAnotherPackIsNotTaken() async throws {
        _ = await putSample()
        let other = BucketLayout.dataPack(sample.volume, PackName(generation: 9, start: 9, number: 9))
        _ = try await store.put(other, try await store.get(sample.key).bytes, .absent)
        let answer = await putSample()
        #expect(answer.outcome == .preconditionFailed)
        let (footer, _, _) = try PackFormat.decode(
            try await store.get(sample.key).bytes, expecting: PackIdentity(volume: sample.volume, name: sample.name),
            codec: ZstdCodec())
        let fetched = await executor.execute(
            .getFrames(key: other, byteOffset: 0, byteCounts: [UInt32(footer.directoryOffset)]), payload: [])
        guard case .corrupt = fetched.outcome else {
            Issue.record("\(fetched.outcome)")
            return
        }
    }

    @Test(arguments: ["volumes/x/data/00/y", "snapshots/snap-1", "volumes"])
    func framesAreReadFromPacksOnly(_ name: String) async {
        let answer = await executor.execute(
            .getFrames(key: ObjectKey(name), byteOffset: 0, byteCounts: [64]), payload: [])
        guard case .refused = answer.outcome else {
            Issue.record("\(answer.outcome)")
            return
        }
    }

    @Test func aListingHasOneFolderPerLine() async throws {
        for name in ["volumes/a/HEAD", "volumes/b/HEAD", "volumes/b/data/00/1", "snapshots/c"] {
            _ = try await store.put(ObjectKey(name), [], .absent)
        }
        let answer = await executor.execute(.listFolders(prefix: "volumes/"), payload: [])
        #expect(String(decoding: answer.payload, as: UTF8.self) == "a\nb\n")
        let nothing = await executor.execute(.listFolders(prefix: "other/"), payload: [])
        #expect(nothing == JobAnswer(.success(etag: nil, storedByteCount: 0)))
    }

    @Test func aLostReplyIsAmbiguousAndNotTriedAgain() async throws {
        let faulty = try executor { $0.lostReply = 1 }
        let answer = await faulty.execute(
            .putObject(key: ObjectKey("a"), precondition: .absent), payload: [Frame([1])])
        guard case .ambiguous = answer.outcome else {
            Issue.record("\(answer.outcome)")
            return
        }
        #expect(try await store.get(ObjectKey("a")).bytes == [1])
    }

    @Test func anUnavailableStoreIsReportedAsSuch() async throws {
        let faulty = try executor { $0.unavailable = 1 }
        for work: UploadJob.Work in [
            .putPack(key: sample.key, plan: sample.plan.encoded()),
            .putObject(key: ObjectKey("a"), precondition: .none), .getObject(key: ObjectKey("a")),
            .getRange(key: ObjectKey("a"), byteOffset: 0, byteCount: 1),
            .getFrames(key: sample.key, byteOffset: 0, byteCounts: [64]), .listFolders(prefix: ""),
        ] {
            let payload = if case .putPack = work { [Frame(sample.blocks)] } else { [Frame([1])] }
            let answer = await faulty.execute(work, payload: payload)
            guard case .unavailable = answer.outcome else {
                Issue.record("\(work): \(answer.outcome)")
                continue
            }
        }
    }

    @Test func jobsWithTheWrongPayloadAreRefused() async {
        for (work, payload): (UploadJob.Work, [Frame]) in [
            (.putObject(key: ObjectKey("a"), precondition: .none), []),
            (.putObject(key: ObjectKey("a"), precondition: .none), [Frame([1]), Frame([2])]),
            (.putPack(key: sample.key, plan: sample.plan.encoded()), [Frame([1]), Frame([2])]),
        ] {
            guard case .refused = await executor.execute(work, payload: payload).outcome else {
                Issue.record("\(work) was done")
                continue
            }
        }
    }
}
