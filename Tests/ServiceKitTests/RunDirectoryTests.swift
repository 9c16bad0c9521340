// SPDX-License-Identifier: Apache-2.0
import Bus
import Glibc
import Messages
import ServiceKit
import TestSupport
import Testing

struct RunDirectoryTests {
    @Test func givesTheLowestFreeSlotAndTakesItBack() throws {
        let directory = try TemporaryDirectory()
        let run = RunDirectory(DirectoryPath(directory.path))
        var first: RunSlot? = try run.claim(.uploader)
        let second = try run.claim(.uploader)
        let other = try run.claim(.cache)
        #expect(first?.name == "uploader-0")
        #expect(second.name == "uploader-1")
        #expect(other.name == "cache-0")
        #expect(try other.endpoint().description == "ipc://\(directory.path)/cache-0.sock")
        first = nil
        #expect(try run.claim(.uploader).number == 0, "the lowest slot was free again")
    }

    @Test func listsWhoRunsAndWhoDied() throws {
        let directory = try TemporaryDirectory()
        let run = RunDirectory(DirectoryPath(directory.path))
        let living = try run.claim(.iscsi)
        do { _ = try run.claim(.cache) }
        // One that ended on purpose leaves nothing to list.
        try run.claim(.uploader).release()
        _ = try directory.file("stranger.lock", "")
        _ = try directory.file("cache-x.lock", "")
        let entries = try run.entries()
        #expect(entries.map(\.name) == ["iscsi-0", "cache-0"])
        #expect(entries.map(\.isRunning) == [true, false])
        #expect(entries.first?.processID == getpid())
        #expect(try run.entries(of: .iscsi).map { try $0.endpoint() } == [living.endpoint()])
        #expect(try run.entries(of: .uploader) == [])
    }

    @Test func countsComingsBackButNotThoseThatWereAskedFor() throws {
        let directory = try TemporaryDirectory()
        let run = RunDirectory(DirectoryPath(directory.path))
        for expected in UInt64(0)..<3 {
            // Given back without `release`, as by a death.
            #expect(try run.claim(.cache).restartCount == expected)
        }
        try run.claim(.cache).release()
        #expect(try run.claim(.cache).restartCount == 0)
        _ = try directory.file("cache-0.starts", "no number")
        #expect(try run.claim(.cache).restartCount == 0, "a damaged file is no reason not to start")
    }

    @Test func sayingWhyADirectoryCannotBeUsed() {
        let run = RunDirectory(DirectoryPath("/nonexistent/run"))
        #expect(throws: (any Error).self) { try run.claim(.cache) }
        #expect(throws: (any Error).self) { try run.entries() }
    }
}
