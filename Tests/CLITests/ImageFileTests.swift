// SPDX-License-Identifier: Apache-2.0
import CLI
import Glibc
import Platform
import ServiceKit
import TestSupport
import Testing

struct ImageFileTests {
    @Test func leavesZerosOutOfAFileAndKeepsItsLength() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/image"
        let file = try ImageFile(path: path)
        try file.writeZeros(byteCount: 1 << 20)
        try file.write([UInt8](repeating: 7, count: 4096)[...])
        try file.writeZeros(byteCount: 1 << 20)
        try file.finish()
        var status = stat()
        #expect(unsafe stat(path, &status) == 0)
        #expect(status.st_size == (2 << 20) + 4096)
        #expect(status.st_blocks * 512 < 1 << 20, "the zeros are holes")
        let bytes = try FileSystem.readFile(path, limit: 4 << 20)
        #expect(bytes[(1 << 20) - 1] == 0 && bytes[1 << 20] == 7 && bytes[(1 << 20) + 4096] == 0)
    }

    @Test func nothingOfAnOlderFileShowsThroughTheHoles() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.file("image", String(repeating: "x", count: 10_000))
        let file = try ImageFile(path: path)
        try file.writeZeros(byteCount: 8192)
        try file.finish()
        #expect(try FileSystem.readFile(path, limit: 20_000) == [UInt8](repeating: 0, count: 8192))
    }

    @Test func saysWhichFileCannotBeWritten() {
        #expect(throws: SystemError(errorNumber: ENOENT, call: "open", path: "/nonexistent/image")) {
            try ImageFile(path: "/nonexistent/image")
        }
    }
}
