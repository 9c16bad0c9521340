// SPDX-License-Identifier: Apache-2.0
import Glibc
import Platform
import TestSupport
import Testing

@Suite struct BlockFileTests {
    private let directory: TemporaryDirectory
    private var path: String { directory.path + "/file" }

    init() throws { directory = try TemporaryDirectory() }

    private func write(_ bytes: [UInt8], to file: BlockFile, at offset: UInt64) throws {
        let buffer = IOBuffer(bytes)
        try unsafe file.write(UnsafeRawBufferPointer(buffer.bytes), at: offset)
    }

    private func read(_ count: Int, from file: BlockFile, at offset: UInt64) throws -> [UInt8] {
        let buffer = IOBuffer(byteCount: count)
        let got = try unsafe file.read(into: buffer.bytes, at: offset)
        return Array(buffer.array[..<got])
    }

    @Test func writesAndReadsAtOffsets() throws {
        let file = try BlockFile(path: path, access: .readWrite, creation: .exclusive)
        try write([1, 2, 3, 4], to: file, at: 10)
        try file.syncData()
        #expect(try file.size() == 14)
        #expect(try read(4, from: file, at: 10) == [1, 2, 3, 4])
        #expect(try read(100, from: file, at: 12) == [3, 4])
        #expect(try read(4, from: file, at: 8) == [0, 0, 1, 2])
        let buffer = IOBuffer(byteCount: 8)
        #expect(throws: SystemError(errorNumber: EIO, call: "read past the end of", path: path)) {
            try unsafe file.readFully(into: buffer.bytes, at: 10)
        }
    }

    @Test func readsIntoArraysAllOrNothing() throws {
        let file = try BlockFile(path: path, access: .readWrite, creation: .exclusive)
        try write([1, 2, 3, 4], to: file, at: 0)
        #expect(try file.readFully(byteCount: 3, at: 1) == [2, 3, 4])
        #expect(file.readNoWait(byteCount: 5, at: 0) == nil)
        // Some file systems have no reads that do not wait.
        if let bytes = file.readNoWait(byteCount: 2, at: 2) { #expect(bytes == [3, 4]) }
        #expect(throws: SystemError(errorNumber: EIO, call: "read past the end of", path: path)) {
            try file.readFully(byteCount: 5, at: 0)
        }
    }

    @Test func readsWhatThePageCacheHoldsWithoutWaiting() throws {
        let file = try BlockFile(path: path, access: .readWrite, creation: .ifMissing)
        try write([UInt8](repeating: 7, count: 4096), to: file, at: 0)
        let buffer = IOBuffer(byteCount: 4096)
        #expect(unsafe file.readNoWait(into: buffer.bytes, at: 0) == 4096)
        #expect(buffer.array == [UInt8](repeating: 7, count: 4096))
        #expect(unsafe file.readNoWait(into: buffer.bytes, at: 4096) == 0)
    }

    @Test func errorsNameTheCallAndThePath() throws {
        let missing = directory.path + "/missing"
        #expect(throws: SystemError(errorNumber: ENOENT, call: "open", path: missing)) {
            try BlockFile(path: missing, access: .readOnly)
        }
        _ = try BlockFile(path: path, access: .readWrite, creation: .exclusive)
        #expect(throws: SystemError(errorNumber: EEXIST, call: "open", path: path)) {
            try BlockFile(path: path, access: .readWrite, creation: .exclusive)
        }
        let full = try BlockFile(path: "/dev/full", access: .readWrite)
        let failure = #expect(throws: SystemError.self) { try write([1], to: full, at: 0) }
        #expect(failure?.isOutOfSpace == true)
    }

    @Test func filesAreForTheirOwnerOnly() throws {
        let file = try BlockFile(path: path, access: .readWrite, creation: .exclusive)
        var information = stat()
        #expect(unsafe fstat(file.fileDescriptor, &information) == 0)
        #expect(information.st_mode & 0o777 == 0o600)
    }

    @Test func allocatedAndFilledSpaceReadsAsZeros() throws {
        let file = try BlockFile(path: path, access: .readWrite, creation: .exclusive)
        try file.allocate(byteCount: 10_000)
        #expect(try file.size() == 10_000)
        try write([9], to: file, at: 9_000)
        try file.fillWithZeros(byteCount: (1 << 20) + 5)
        #expect(try file.size() == (1 << 20) + 5)
        #expect(try read(2 << 20, from: file, at: 0) == [UInt8](repeating: 0, count: (1 << 20) + 5))
        try file.truncate(byteCount: 3)
        #expect(try file.size() == 3)
    }

    @Test func onlyOneOpenFileHoldsTheLock() throws {
        let first = try BlockFile(path: path, access: .readWrite, creation: .ifMissing)
        #expect(try first.tryLock())
        var second: BlockFile? = try BlockFile(path: path, access: .readWrite)
        #expect(try second?.tryLock() == false)
        second = nil
        #expect(try first.tryLock())
    }

    @Test func uncachedReadsEqualWhatWasWritten() throws {
        var random = SeededRandom(seed: 1)
        let contents = random.bytes((1 << 20) + 12_345)
        let file = try BlockFile(path: path, access: .readWrite, creation: .exclusive)
        try write(contents, to: file, at: 0)
        try file.syncData()
        let reader = try UncachedReader(path: path)
        for (offset, count) in [
            (0, contents.count), (1, 5), (4095, 2), (4096, 4096), (contents.count - 3, 100), (contents.count, 10),
            (contents.count + 10_000, 10), (7, 1 << 20), (0, 0),
        ] {
            let buffer = IOBuffer(byteCount: count)
            let got = try unsafe reader.read(into: unsafe buffer.bytes(0..<count), at: UInt64(offset))
            let expected = contents.dropFirst(offset).prefix(count)
            #expect(got == expected.count && buffer.array.prefix(got).elementsEqual(expected), "\(offset), \(count)")
        }
    }

    @Test func uncachedReadsFallBackWhereThereIsNoDirectIO() throws {
        // procfs has no O_DIRECT.
        let reader = try UncachedReader(path: "/proc/self/stat")
        #expect(!reader.isDirect)
        let buffer = IOBuffer(byteCount: 16)
        #expect(try unsafe reader.read(into: buffer.bytes, at: 0) == 16)
    }
}
