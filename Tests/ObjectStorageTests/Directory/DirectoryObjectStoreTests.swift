// SPDX-License-Identifier: Apache-2.0
import Glibc
import ObjectStorage
import TestSupport
import Testing
import Wire

/// What holds for directories beyond what every store does.
struct DirectoryObjectStoreTests {
    @Test func anObjectIsAFileWithItsBytesAndNothingElse() async throws {
        let bucket = try TemporaryBucket(prefix: "p")
        let store = try bucket.openStore()
        _ = try await store.put(ObjectKey("volumes/one/HEAD"), Array("hello".utf8), .absent)
        let descriptor = unsafe Glibc.open(bucket.file("p/volumes/one/HEAD"), O_RDONLY)
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = unsafe read(descriptor, &bytes, 16)
        #expect(Array(bytes.prefix(max(0, count))) == Array("hello".utf8))
    }

    @Test func noStagedFileIsLeftBehind() async throws {
        let bucket = try TemporaryBucket()
        let store = try bucket.openStore()
        let key = ObjectKey("a")
        let tag = try await store.put(key, [1], .absent)
        _ = try? await store.put(key, [2], .absent)
        _ = try? await store.put(key, [2], .matches(EntityTag("stale")))
        _ = try await store.put(key, [3], .matches(tag))
        _ = try? await store.put(ObjectKey("a/b"), [4], .absent)
        #expect(bucket.stagedFiles().isEmpty)
    }

    @Test func missingBucketIsRefusedAndNotCreated() throws {
        let bucket = try TemporaryBucket()
        let path = bucket.file("missing")
        let error = #expect(throws: ObjectStoreError.self) { try DirectoryObjectStore(directory: path) }
        #expect(error == .refused(.bucketMissing(path)))
        #expect(error?.description.contains("create it") == true)
        #expect(!bucket.exists("missing"))
    }

    @Test func aFileIsNoBucket() throws {
        let bucket = try TemporaryBucket()
        try bucket.plant("file")
        let path = bucket.file("file")
        #expect(throws: ObjectStoreError.refused(.notADirectory(path))) { try DirectoryObjectStore(directory: path) }
    }

    @Test(.enabled(if: geteuid() != 0, "root may write everywhere"))
    func unwritableBucketIsRefused() throws {
        let bucket = try TemporaryBucket()
        unsafe _ = chmod(bucket.path, 0o555)
        let error = #expect(throws: ObjectStoreError.self) { try bucket.openStore() }
        guard case .refused(.noPermission) = error else {
            Issue.record("another error: \(String(describing: error))")
            return
        }
    }

    @Test func readingOnlyLeavesNoTrace() async throws {
        let bucket = try TemporaryBucket()
        try bucket.plant("object", [5])
        let store = try bucket.openStore(.readOnly)
        #expect(try await store.get(ObjectKey("object")).bytes == [5])
        await #expect(throws: ObjectStoreError.refused(.readOnlyAccess)) {
            try await store.put(ObjectKey("object"), [6], .none)
        }
        await #expect(throws: ObjectStoreError.refused(.readOnlyAccess)) { try await store.delete(ObjectKey("object")) }
        #expect(TemporaryBucket.names(in: bucket.path) == ["object"])
    }

    @Test func aNameCannotBeObjectAndFolder() async throws {
        let bucket = try TemporaryBucket()
        let store = try bucket.openStore()
        _ = try await store.put(ObjectKey("a/b"), [1], .absent)
        _ = try await store.put(ObjectKey("c"), [2], .absent)
        for (name, precondition) in [
            ("a", WritePrecondition.absent), ("a", .none), ("c/d", .absent), ("c/d", .none),
        ] {
            await #expect(throws: ObjectStoreError.invalidKey(name, .bothObjectAndFolder)) {
                try await store.put(ObjectKey(name), [3], precondition)
            }
        }
        await #expect(throws: ObjectStoreError.notFound(ObjectKey("c/d"))) { try await store.get(ObjectKey("c/d")) }
        #expect(try await store.get(ObjectKey("a/b")).bytes == [1])
        #expect(try await store.get(ObjectKey("c")).bytes == [2])
    }

    @Test func removesOldLeftoversAndKeepsRecentOnes() async throws {
        let bucket = try TemporaryBucket()
        _ = try bucket.openStore()
        try bucket.plant(".sluice-tmp/old.tmp")
        try bucket.plant(".sluice-tmp/new.tmp")
        let dayAgo = timespec(tv_sec: time(nil) - 86_400, tv_nsec: 0)
        #expect(unsafe utimensat(AT_FDCWD, bucket.file(".sluice-tmp/old.tmp"), [dayAgo, dayAgo], 0) == 0)
        _ = try bucket.openStore()
        #expect(bucket.stagedFiles() == ["new.tmp"])
    }

    @Test func aLeftoverOfACrashAfterLinkingDoesNotHoldTheObject() async throws {
        let bucket = try TemporaryBucket()
        let store = try bucket.openStore()
        _ = try await store.put(ObjectKey("object"), [1, 2, 3], .absent)
        // A crash between link and unlink leaves two names of one file.
        #expect(unsafe link(bucket.file("object"), bucket.file(".sluice-tmp/crash.tmp")) == 0)
        _ = try bucket.openStore(leftoverAgeSeconds: -1)
        #expect(bucket.stagedFiles().isEmpty)
        #expect(try await store.get(ObjectKey("object")).bytes == [1, 2, 3])
    }

    @Test func writesAgainAfterItsFoldersWereRemoved() async throws {
        let bucket = try TemporaryBucket()
        let store = try bucket.openStore()
        _ = try await store.put(ObjectKey("a/b/c"), [1], .absent)
        TemporaryBucket.removeTree(bucket.file("a"))
        TemporaryBucket.removeTree(bucket.file(".sluice-tmp"))
        let tag = try await store.put(ObjectKey("a/b/c"), [2], .absent)
        TemporaryBucket.removeTree(bucket.file("a"))
        await #expect(throws: ObjectStoreError.notFound(ObjectKey("a/b/c"))) {
            try await store.put(ObjectKey("a/b/c"), [3], .matches(tag))
        }
        _ = try await store.put(ObjectKey("a/b/c"), [4], .none)
        #expect(try await store.get(ObjectKey("a/b/c")).bytes == [4])
    }

    @Test func aBucketThatWasRemovedIsSaidToBeMissing() async throws {
        let bucket = try TemporaryBucket()
        let store = try bucket.openStore()
        TemporaryBucket.removeTree(bucket.path)
        await #expect(throws: ObjectStoreError.refused(.bucketMissing(bucket.path))) {
            try await store.put(ObjectKey("a"), [1], .absent)
        }
    }

    @Test func aLockThatIsHeldElsewhereEndsInUnavailable() async throws {
        let bucket = try TemporaryBucket()
        let store = try bucket.openStore(lockTimeout: .milliseconds(5))
        let key = ObjectKey("a")
        let tag = try await store.put(key, [1], .absent)
        var held: [Int32] = []
        for stripe in 0..<64 {
            let path = bucket.file(".sluice-tmp/lock-" + String(stripe, radix: 16))
            let descriptor = unsafe Glibc.open(path, O_RDWR | O_CREAT, 0o644)
            #expect(flock(descriptor, LOCK_EX) == 0)
            held.append(descriptor)
        }
        await #expect(throws: ObjectStoreError.unavailable(.timedOut(afterMilliseconds: 5))) {
            try await store.put(key, [2], .matches(tag))
        }
        #expect(try await store.get(key).bytes == [1])
        #expect(bucket.stagedFiles().isEmpty)
        for descriptor in held { close(descriptor) }
        _ = try await store.put(key, [2], .matches(tag))
    }

    @Test func aSymbolicLinkIsNoObject() async throws {
        let bucket = try TemporaryBucket()
        let store = try bucket.openStore()
        try bucket.plant("target", [9])
        #expect(unsafe symlink(bucket.file("target"), bucket.file("alias")) == 0)
        await #expect(throws: ObjectStoreError.notFound(ObjectKey("alias"))) { try await store.get(ObjectKey("alias")) }
    }

    @Test func filesWithForeignNamesAreNotListed() async throws {
        let bucket = try TemporaryBucket()
        let store = try bucket.openStore()
        try bucket.plant("bad name")
        try bucket.plantFolder("lost+found")
        _ = try await store.put(ObjectKey("good"), [1], .absent)
        let page = try await store.list(prefix: "", after: nil, limit: 10)
        #expect(page == ObjectPage(keys: [ObjectKey("good")], isLast: true))
    }
}
