// SPDX-License-Identifier: Apache-2.0
import Glibc
import Platform
import TestSupport
import Testing

@Suite struct FileSystemTests {
    private let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    @Test func replacesAFileAndLeavesNothingBehind() throws {
        let path = directory.path + "/state"
        try FileSystem.replaceFile(path, with: [1, 2, 3])
        try FileSystem.replaceFile(path, with: [4])
        #expect(try FileSystem.readFile(path, limit: 10) == [4])
        #expect(try FileSystem.list(directory.path) == ["state"])
    }

    @Test func aLeftoverOfACrashDoesNotMatter() throws {
        let path = directory.path + "/state"
        _ = try directory.file("state.new", "half of somethi")
        try FileSystem.replaceFile(path, with: [])
        #expect(try FileSystem.readFile(path, limit: 0) == [])
        #expect(try FileSystem.list(directory.path) == ["state"])
    }

    @Test func aFailedReplacementKeepsTheOldFile() throws {
        let path = directory.path + "/missing/state"
        #expect(throws: SystemError.self) { try FileSystem.replaceFile(path, with: [1]) }
        let occupied = try directory.directory("occupied")
        #expect(throws: SystemError(errorNumber: EISDIR, call: "rename", path: occupied + ".new")) {
            try FileSystem.replaceFile(occupied, with: [1])
        }
        #expect(try FileSystem.list(directory.path) == ["occupied"])
    }

    @Test func refusesAFileBeyondTheLimitBeforeReadingIt() throws {
        let path = try directory.file("large", "0123456789")
        #expect(throws: SystemError(errorNumber: EFBIG, call: "read", path: path)) {
            try FileSystem.readFile(path, limit: 9)
        }
        #expect(try FileSystem.readFile(path, limit: 10) == Array("0123456789".utf8))
    }

    @Test func makesMissingParents() throws {
        let path = directory.path + "/a/b/c"
        try FileSystem.createDirectory(path)
        try FileSystem.createDirectory(path)
        try FileSystem.syncDirectory(path)
        #expect(try FileSystem.list(directory.path + "/a/b") == ["c"])
        let file = try directory.file("file", "")
        #expect(throws: SystemError(errorNumber: EEXIST, call: "mkdir", path: file)) {
            try FileSystem.createDirectory(file)
        }
        #expect(throws: SystemError.self) { try FileSystem.createDirectory(file + "/below") }
    }

    @Test func renamesAndRemoves() throws {
        let old = try directory.file("old", "x")
        let new = directory.path + "/new"
        try FileSystem.rename(old, to: new)
        #expect(!FileSystem.exists(old) && FileSystem.exists(new))
        #expect(try FileSystem.remove(new))
        #expect(try !FileSystem.remove(new))
        #expect(throws: SystemError.self) { try FileSystem.remove(directory.path) }
        #expect(throws: SystemError(errorNumber: ENOENT, call: "opendir", path: old)) { try FileSystem.list(old) }
    }

    @Test func knowsParents() {
        #expect(FileSystem.parentDirectory(of: "/a/b/c") == "/a/b")
        #expect(FileSystem.parentDirectory(of: "/a/b/") == "/a")
        #expect(FileSystem.parentDirectory(of: "/a") == "/")
        #expect(FileSystem.parentDirectory(of: "a") == nil)
    }
}
