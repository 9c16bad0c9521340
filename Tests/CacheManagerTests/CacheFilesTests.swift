// SPDX-License-Identifier: Apache-2.0
import CacheManager
import Engine
import TestSupport
import Testing

struct CacheFilesTests {
    /// Its disk answered only after the directory was removed: nobody here unlocks it any more.
    @Test func aDirectoryGivenUpWhileItWasOpenedIsNotLocked() throws {
        let directory = try TemporaryDirectory()
        let disk = ManualDisk()
        let files = CacheFiles(disk: SharedDisk(disk, threadCount: 2), regionByteCount: 1 << 20)
        let id = CacheDirectoryID(1)
        files.name(id, directory.path)
        var isOpened = false
        files.scan(id, found: { _ in }, then: { _ in isOpened = true })
        files.unlock(id)
        while disk.runAll() {}
        #expect(!isOpened)
        _ = try CacheFiles.lock(directory.path)
        files.scan(id, found: { _ in }, then: { _ in isOpened = true })
        while disk.runAll() {}
        #expect(isOpened)
        #expect(throws: CacheDirectoryFailure.self) { try CacheFiles.lock(directory.path) }
    }
}
