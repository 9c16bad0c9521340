// SPDX-License-Identifier: Apache-2.0
import Foundation
import GatewayHarness
import Glibc
import Testing

/// The read cache as people see it: its directories change while the gateway serves, and it is warmed.
@Suite(.serialized) struct CacheTests {
    /// What `sluice cache … --json` prints, as far as it is looked at here.
    private struct Cache: Decodable {
        struct Directory: Decodable {
            var path: String
            var state: String
        }
        var directories: [Directory]
        var sizeBytes: UInt64
        var frames: UInt64
    }

    private func cache(_ gateway: GatewayUnderTest, _ arguments: String...) throws -> Cache {
        let output = try gateway.sluice(["cache"] + arguments + ["--json"])
        return try JSONDecoder().decode(Cache.self, from: Data(output.utf8))
    }

    private func status(_ gateway: GatewayUnderTest, _ arguments: String...) throws -> (status: Int32, error: String) {
        let result = try GatewayUnderTest.run(
            gateway.binaries.appendingPathComponent("sluice").path,
            arguments + ["--config", gateway.configurationFile.path])
        return (result.status, result.error)
    }

    /// Starts the gateway with a volume of which so much is in the bucket.
    private func fill(_ size: String, _ gateway: GatewayUnderTest) throws {
        try gateway.start()
        try gateway.sluice("volume", "create", "disk", "--size", "1GiB", "--compression", "none")
        try gateway.waitForTarget("disk")
        let write = try GatewayUnderTest.run(
            "qemu-io", ["-f", "raw", "-c", "write -P 0x5a 0 \(size)", gateway.url("disk")])
        try #require(write.status == 0 && !write.output.contains("failed"), "\(write.output)\(write.error)")
        try gateway.sluice("volume", "sync", "disk")
    }

    @Test(.timeLimit(.minutes(2)))
    func directoriesComeAndGoWhileAVolumeIsWarmed() throws {
        let gateway = try GatewayUnderTest(settings: "cache.size: 256MiB")
        defer { gateway.tearDown() }
        try fill("64M", gateway)

        let (first, second) = (gateway.path("cache").path, gateway.path("cache-b").path)
        try FileManager.default.createDirectory(atPath: second, withIntermediateDirectories: true)
        #expect(try cache(gateway, "list").directories.map(\.path) == [first])
        #expect(try cache(gateway, "add", second, "--size", "256MiB").sizeBytes == 512 << 20)
        try gateway.wait("both directories are in use", seconds: 10) {
            (try? cache(gateway, "list").directories.map(\.state)) == ["in-use", "in-use"]
        }
        let warmed = try gateway.sluice("volume", "warm", "disk", "--wait")
        #expect(warmed.contains("disk: finished; 64 MiB fetched in"), "\(warmed)")
        let frames = try cache(gateway, "list").frames
        #expect(frames >= 1024)

        // What was in it goes with a directory.
        #expect(try cache(gateway, "remove", first).directories.map(\.path) == [second])
        try gateway.wait("the directory is empty", seconds: 10) {
            (try? FileManager.default.contentsOfDirectory(atPath: first).isEmpty) ?? false
        }
        #expect(try cache(gateway, "list").frames < frames)
        let (refused, reason) = try status(gateway, "cache", "remove", second)
        #expect(refused != 0 && reason.contains("is the only cache directory"), "\(reason)")
        #expect(try cache(gateway, "resize", "128MiB").sizeBytes == 128 << 20)
        let again = try gateway.sluice("volume", "warm", "disk", "--offset", "8MiB", "--length", "8MiB", "--wait")
        #expect(again.contains("finished"), "\(again)")

        // Settings survive a restart.
        gateway.stop()
        try gateway.start()
        let kept = try cache(gateway, "list")
        #expect(kept.directories.map(\.path) == [second] && kept.sizeBytes == 128 << 20)
    }

    /// The volume is larger than the cache: `--wait` must not look like success.
    @Test(.timeLimit(.minutes(2)))
    func warmingMoreThanFitsIsNoSuccess() throws {
        let gateway = try GatewayUnderTest(settings: "cache.size: 128MiB")
        defer { gateway.tearDown() }
        try fill("128M", gateway)
        let (code, reason) = try status(gateway, "volume", "warm", "disk", "--wait")
        #expect(code == 75, "\(reason)")
        #expect(reason.contains("volume disk is not in the cache as a whole: the cache is full"), "\(reason)")
    }
}
