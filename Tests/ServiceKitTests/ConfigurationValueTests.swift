// SPDX-License-Identifier: Apache-2.0
import ServiceKit
import Testing

struct ConfigurationValueTests {
    @Test(
        arguments: [
            ("0", 0), ("4096", 4096), ("1B", 1), ("1KiB", 1024), ("16 GiB", 16 << 30), ("64TiB", 64 << 40),
            ("18446744073709551615B", UInt64.max),
        ] as [(String, UInt64)])
    func readsSizes(_ text: String, _ byteCount: UInt64) throws {
        #expect(try ByteSize.parse(text).byteCount == byteCount)
    }

    @Test(arguments: ["", "GiB", "-1", "1.5GiB", "1G", "1gib", "16777216TiB", "1 GiB x", "٣MiB"])
    func refusesSizes(_ text: String) {
        #expect(throws: ValueRefusal.self) { try ByteSize.parse(text) }
    }

    @Test func writesSizesExactlyAndForPeople() {
        #expect(ByteSize.gibibytes(16).configurationText == "16GiB")
        #expect(ByteSize(byteCount: 1025).configurationText == "1025B")
        #expect(ByteSize(byteCount: 0).configurationText == "0B")
        #expect(ByteSize(byteCount: 1536).description == "1.5 KiB")
        #expect(ByteSize.tebibytes(2).description == "2 TiB")
        #expect(ByteSize(byteCount: 999).description == "999 B")
    }

    @Test func readsAndWritesDurations() throws {
        #expect(try Duration.parse("250ms") == .milliseconds(250))
        #expect(try Duration.parse("5m") == .seconds(300))
        #expect(try Duration.parse("1h") == .seconds(3600))
        #expect(Duration.seconds(90).configurationText == "90s")
        #expect(Duration.seconds(300).configurationText == "5m")
        #expect(Duration.milliseconds(1500).configurationText == "1500ms")
        for text in ["", "10", "s", "-1s", "1d", "9223372036854775807h"] {
            #expect(throws: ValueRefusal.self) { try Duration.parse(text) }
        }
    }

    @Test func readsAddresses() throws {
        #expect(try ListenAddress.parse("127.0.0.1:3260") == ListenAddress(host: "127.0.0.1", port: 3260))
        #expect(try ListenAddress.parse("[::1]:3260") == ListenAddress(host: "::1", port: 3260))
        #expect(try ListenAddress.parse(":0") == ListenAddress(host: "0.0.0.0", port: 0))
        #expect(ListenAddress(host: "::1", port: 1).configurationText == "[::1]:1")
        for text in ["", "3260", "host", "::1:3260", "a:65536", "a b:1", "host:"] {
            #expect(throws: ValueRefusal.self) { try ListenAddress.parse(text) }
        }
    }

    @Test func normalisesPaths() {
        #expect(DirectoryPath("/a//b/./c/../d/").path == "/a/b/d")
        #expect(DirectoryPath("x", relativeTo: "/base").path == "/base/x")
        #expect(DirectoryPath("../..", relativeTo: "/base").path == "/")
        #expect(DirectoryPath("/").appending("x") == "/x")
        #expect(DirectoryPath("/a/b").parent.path == "/a")
    }
}
