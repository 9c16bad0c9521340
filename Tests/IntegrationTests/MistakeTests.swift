// SPDX-License-Identifier: Apache-2.0
import Foundation
import GatewayHarness
import Glibc
import Testing

/// What people get wrong: each mistake has a message that says what is wrong and what to do, and an exit status.
@Suite(.serialized) struct MistakeTests {
    private func sluice(_ arguments: String...) throws -> (status: Int32, output: String, error: String) {
        try GatewayUnderTest.run(
            GatewayUnderTest.builtBinaries.appendingPathComponent("sluice").path, arguments)
    }

    /// Runs `sluice up` on a configuration that cannot work.
    private func up(_ gateway: GatewayUnderTest) throws -> (status: Int32, output: String, error: String) {
        try sluice("up", "--config", gateway.configurationFile.path)
    }

    @Test func unknownKeysAreRefusedWithTheirPlace() throws {
        let gateway = try GatewayUnderTest(settings: "commit: {intervall: 5s}\nlog: {level: loud}")
        defer { gateway.tearDown() }
        for command in [["config", "check"], ["up"], ["status"]] {
            let result = try GatewayUnderTest.run(
                gateway.binaries.appendingPathComponent("sluice").path,
                command + ["--config", gateway.configurationFile.path])
            #expect(result.status == 78, "\(command)")
            #expect(
                result.error.contains("gateway.yaml:8: commit.intervall: unknown key; did you mean commit.interval?"))
            #expect(result.error.contains("gateway.yaml:9: log.level: “loud” is not one of"), "all mistakes at once")
        }
    }

    @Test func aGoodConfigurationIsShownInFull() throws {
        let gateway = try GatewayUnderTest()
        defer { gateway.tearDown() }
        let output = try gateway.sluice("config", "check")
        #expect(output.contains("no mistakes"))
        #expect(output.contains("commit.interval: 10s\n"))
    }

    @Test func missingDirectoriesAreNamed() throws {
        let gateway = try GatewayUnderTest()
        defer { gateway.tearDown() }
        for name in ["journal", "bucket"] { try FileManager.default.removeItem(at: gateway.path(name)) }
        let result = try up(gateway)
        #expect(result.status == 78)
        #expect(result.error.contains("journal.directories: \(gateway.path("journal").path) does not exist; create it"))
        #expect(result.error.contains("bucket.url: \(gateway.path("bucket").path) does not exist; create it"))
    }

    @Test func oneDirectoryForTwoPurposesIsRefused() throws {
        let gateway = try GatewayUnderTest(settings: "cache.memory: 64MiB")
        defer { gateway.tearDown() }
        let result = try sluice(
            "config", "check", "--config", gateway.configurationFile.path, "--set",
            "cache.directories=\(gateway.path("journal").path)")
        #expect(result.status == 78)
        #expect(result.error.contains("is the same directory as"))
    }

    @Test(.timeLimit(.minutes(1)))
    func moreMemoryThanThereIsIsRefusedWithItsParts() throws {
        let gateway = try GatewayUnderTest(settings: "cache.memory: 1TiB")
        defer { gateway.tearDown() }
        for result in [try up(gateway), try sluice("config", "check", "--config", gateway.configurationFile.path)] {
            #expect(result.status == 78, "\(result.error)")
            #expect(result.error.contains("1 TiB for cache.memory, 64 MiB for cache.index_memory"), "\(result.error)")
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func aBucketOfANewerFormatIsRefused() throws {
        let gateway = try GatewayUnderTest()
        defer { gateway.tearDown() }
        try #"{"format": 99, "product": "sluice", "createdMilliseconds": 1}"#.write(
            to: gateway.path("bucket").appendingPathComponent("FORMAT"), atomically: true, encoding: .utf8)
        let result = try up(gateway)
        #expect(result.status == 78, "\(result.error)")
        #expect(result.error.contains("cannot be started"))
        #expect(result.error.contains("99"))
        let bucket = "file://\(gateway.path("bucket").path)"
        let export = try sluice("export", "--bucket", bucket, "--volume", "x", "-o", gateway.path("x.img").path)
        #expect(export.status == 78)
        #expect(export.error.contains("has format 99"))
    }

    @Test(.timeLimit(.minutes(1)))
    func aPortInUseIsNamed() throws {
        let gateway = try GatewayUnderTest()
        defer { gateway.tearDown() }
        let listener = try Listener(port: gateway.portal)
        let result = try up(gateway)
        #expect(result.status == 73, "\(result.error)")
        let complaint = "cannot listen on 127.0.0.1:\(gateway.portal): Address already in use; stop what uses it"
        #expect(result.error.contains("iscsi.listen: " + complaint), "\(result.error)")
        withExtendedLifetime(listener) {}
    }

    @Test(.timeLimit(.minutes(1)))
    func aPortOfTheExporterInUseIsNamed() throws {
        let gateway = try GatewayUnderTest()
        defer { gateway.tearDown() }
        let listener = try Listener(port: gateway.exporterPort)
        let result = try up(gateway)
        #expect(result.status == 73, "\(result.error)")
        let complaint = "cannot listen on 127.0.0.1:\(gateway.exporterPort): Address already in use; stop what uses it"
        #expect(result.error.contains("exporter.listen: " + complaint), "\(result.error)")
        withExtendedLifetime(listener) {}
    }

    @Test(.timeLimit(.minutes(1)))
    func commandsToARunningGatewaySayWhatIsWrong() throws {
        let gateway = try GatewayUnderTest()
        defer { gateway.tearDown() }
        try gateway.start()
        try gateway.sluice("volume", "create", "disk", "--size", "1GiB")
        let config = ["--config", gateway.configurationFile.path]
        let mistakes: [(arguments: [String], status: Int32, message: String)] = [
            (["volume", "create", "disk", "--size", "1GiB"], 73, "is taken"),
            (["volume", "create", "Disk", "--size", "1GiB"], 64, "is not allowed"),
            (["volume", "create", "a", "--size", "1500MiB"], 64, "size not allowed"),
            (["volume", "create", "a", "--size", "65TiB"], 64, "size not allowed"),
            (["volume", "create", "a", "--size", "ten"], 64, "invalid"),
            (["volume", "create", "a"], 64, "give --size"),
            (["volume", "create", "a", "--size", "1GiB", "--upload-buffer", "9GiB"], 64, "larger than journal.size"),
            (["volume", "create", "a", "--snapshot", "snap-00000000000000001"], 65, "no snapshot"),
            (["volume", "create", "disk", "--clone-of", "disk"], 73, "is taken"),
            (["volume", "attach", "disk"], 75, "is attached to this gateway already"),
            (["volume", "create", "a", "--clone-of", "nobody", "--upload-buffer", "8GiB"], 65, "no volume"),
            (
                ["volume", "create", "a", "--snapshot", "snap-00000000000000001", "--upload-buffer", "8GiB"], 65,
                "no snapshot"
            ),
            (["volume", "create", "a", "--clone-of", "disk", "--upload-buffer", "8GiB"], 75, "are free"),
            (["volume", "create", "a", "--clone-of", "nobody"], 65, "no volume"),
            (["volume", "sync", "nobody"], 65, "no volume"),
            (["volume", "show", "nobody"], 65, "no volume"),
            (["volume", "attach", "nobody"], 65, "no volume"),
            (["volume", "delete", "disk"], 64, "--yes"),
            (["snapshot", "create", "nobody"], 65, "no volume"),
            (["snapshot", "create", "nobody", "--no-wait"], 65, "no volume"),
            (["snapshot", "show", "snap-00000000000000001"], 65, "no snapshot"),
            (["snapshot", "delete", "snap-00000000000000001"], 65, "no snapshot"),
            (["snapshot", "show", "everything"], 64, "invalid"),
            (["no-such-command"], 64, "Usage: sluice"),
        ]
        for mistake in mistakes {
            let result = try GatewayUnderTest.run(
                gateway.binaries.appendingPathComponent("sluice").path, mistake.arguments + config)
            #expect(result.status == mistake.status, "\(mistake.arguments): \(result.error)")
            #expect(result.error.contains(mistake.message), "\(mistake.arguments): \(result.error)")
        }
        #expect(try gateway.sluice("volume", "list").contains("disk"), "nothing was harmed")
        #expect(try !gateway.sluice("snapshot", "list", "--all").contains("snap-"), "nothing was taken for a clone")
    }

    @Test func helpNamesTheWordsThatOptionsTake() throws {
        let help = try sluice("volume", "create", "--help").output
        let words = help.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(words.contains("(values: on-flush, always; default: on-flush)"), "\(help)")
    }

    @Test func commandsWithoutAGatewaySayHowToStartOne() throws {
        let gateway = try GatewayUnderTest()
        defer { gateway.tearDown() }
        let config = gateway.configurationFile.path
        let list = try sluice("volume", "list", "--config", config)
        #expect(list.status == 69)
        #expect(list.error.contains("start the gateway with `sluice up`"))
        let status = try sluice("status", "--config", config)
        #expect(status.status == 69)
        #expect(status.output.contains("not running"))
        #expect(status.output.contains("no cache manager answers"))
        let bucket = "file://\(gateway.path("bucket").path)"
        let empty = try sluice("export", "--bucket", bucket, "--volume", "x", "-o", gateway.path("x").path)
        #expect(empty.status == 65)
        #expect(empty.error.contains("holds nothing of Sluice"))
        let absent = try sluice("export", "--bucket", bucket + "/no", "--volume", "x", "-o", gateway.path("x").path)
        #expect(absent.status == 69)
        #expect(absent.error.contains("does not exist"))
    }

    /// Damage in the bucket ends an export; it never becomes part of an image.
    @Test(.timeLimit(.minutes(2)))
    func exportsRefuseDamagedData() throws {
        let gateway = try GatewayUnderTest()
        defer { gateway.tearDown() }
        try gateway.start()
        try gateway.sluice("volume", "create", "disk", "--size", "1GiB")
        try gateway.waitForTarget("disk")
        let write = try GatewayUnderTest.run(
            "qemu-io", ["-f", "raw", "-c", "write -P 0x5a 0 8M", gateway.url("disk")])
        try #require(write.status == 0)
        try gateway.sluice("volume", "sync", "disk")
        gateway.stop()
        let packs = try #require(FileManager.default.enumerator(atPath: gateway.path("bucket").path))
            .compactMap { $0 as? String }.filter { $0.contains("/data/") && $0.split(separator: "/").count == 5 }
        let pack = gateway.path("bucket").appendingPathComponent(try #require(packs.first))
        var bytes = try Data(contentsOf: pack)
        bytes[200] ^= 1
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: pack.path)
        try bytes.write(to: pack)
        let result = try sluice(
            "export", "--bucket", "file://\(gateway.path("bucket").path)", "--volume", "disk", "-o",
            gateway.path("x.img").path)
        #expect(result.status == 65, "\(result.error)")
        #expect(result.error.contains("damaged"))
    }
}

/// Holds a port of the loopback address.
private final class Listener {
    private let descriptor: Int32

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let result = unsafe withUnsafePointer(to: &address) {
            unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(result == 0 && listen(descriptor, 1) == 0)
    }

    deinit { close(descriptor) }
}
