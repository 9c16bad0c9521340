// SPDX-License-Identifier: Apache-2.0
import Foundation
import GatewayHarness
import Glibc
import Testing

/// The way to the bucket breaks under a running gateway: nothing is lost, and people are told why it takes longer.
@Suite(.serialized) struct BucketTests {
    private func io(_ commands: String..., on url: String) throws {
        let result = try GatewayUnderTest.run("qemu-io", ["-f", "raw"] + commands.flatMap { ["-c", $0] } + [url])
        try #require(
            result.status == 0 && !result.output.contains("failed"),
            "qemu-io \(commands): \(result.output)\(result.error)")
    }

    private func sluice(
        _ gateway: GatewayUnderTest, _ arguments: String...
    ) throws -> (status: Int32, output: String, error: String) {
        try GatewayUnderTest.run(
            gateway.binaries.appendingPathComponent("sluice").path,
            arguments + ["--config", gateway.configurationFile.path])
    }

    @Test(.timeLimit(.minutes(5)))
    func aSyncCompletesAlthoughOneOfTwoUploadersIsKilled() throws {
        let gateway = try GatewayUnderTest(settings: "commit: {interval: 5m}")
        defer { gateway.tearDown() }
        try gateway.start()
        // Stored raw, so that uploads take their time.
        try gateway.sluice("volume", "create", "disk", "--size", "1GiB", "--compression", "none")
        try gateway.waitForTarget("disk")
        for (round, delay) in [20_000, 100_000, 300_000].enumerated() {
            let second = GatewayUnderTest.process(
                gateway.binaries.appendingPathComponent("sluice-uploader").path,
                ["--config", gateway.configurationFile.path])
            second.standardError = FileHandle.nullDevice
            try second.run()
            defer {
                kill(second.processIdentifier, SIGKILL)
                second.waitUntilExit()
            }
            try gateway.wait("two uploaders serve", seconds: 20) {
                (try? gateway.sluice("status").components(separatedBy: "running for 1 cache manager").count) == 3
            }
            let pattern = "write -P \(round + 1)"
            try io("\(pattern) \(round * 192)M 96M", "\(pattern) \(round * 192 + 96)M 96M", on: gateway.url("disk"))
            let victim = second.processIdentifier
            let killer = Thread {
                usleep(useconds_t(delay))
                kill(victim, SIGKILL)
            }
            killer.start()
            let sync = try sluice(gateway, "volume", "sync", "disk", "--timeout", "60s")
            #expect(sync.status == 0, "round \(round): \(sync.error)")
        }
        let exported = gateway.path("exported.img").path
        try gateway.sluice(
            "export", "--bucket", "file://\(gateway.path("bucket").path)", "--volume", "disk", "--output", exported)
        try io("read -P 1 0 192M", "read -P 2 192M 192M", "read -P 3 384M 192M", on: exported)
    }

    /// An uploader holds the directory open, so a move alone does not hurt it; one that starts anew finds no bucket.
    @Test(.timeLimit(.minutes(5)))
    func writesGoOnWithoutTheBucketAndReachItWhenItIsBack() throws {
        let gateway = try GatewayUnderTest(settings: "commit: {interval: 2s}")
        defer { gateway.tearDown() }
        try gateway.start()
        try gateway.sluice("volume", "create", "disk", "--size", "1GiB")
        try gateway.waitForTarget("disk")
        // After a run this long the supervisor goes on trying to start a service, whatever its reason to end.
        sleep(31)
        let (bucket, away) = (gateway.path("bucket"), gateway.path("bucket-away"))
        try FileManager.default.moveItem(at: bucket, to: away)
        try io("write -P 0x11 0 8M", on: gateway.url("disk"))
        try gateway.sluice("volume", "sync", "disk")
        kill(try #require(gateway.serviceProcessIDs["uploader-0"]), SIGKILL)
        try io("write -P 0x22 4M 8M", "read -P 0x22 4M 8M", on: gateway.url("disk"))
        try gateway.wait("the volume says that uploads are stalled", seconds: 30) {
            (try? gateway.sluice("volume", "list").contains("upload-stalled")) ?? false
        }
        let status = try sluice(gateway, "status")
        #expect(status.status == 69 && status.output.contains("no uploader is connected"), "\(status.output)")
        #expect(try String(contentsOf: gateway.logFile, encoding: .utf8).contains("\(bucket.path) does not exist"))
        let sync = try sluice(gateway, "volume", "sync", "disk", "--timeout", "3s")
        #expect(sync.status == 75 && sync.error.contains("is not committed yet: no uploader"), "\(sync.error)")
        #expect(!sync.error.contains("did not answer") && !sync.error.contains("(\""), "\(sync.error)")
        let snapshot = try sluice(gateway, "snapshot", "create", "disk", "--timeout", "3s")
        #expect(snapshot.status == 75, "\(snapshot.error)")
        #expect(snapshot.error.contains("no uploader is connected"), "\(snapshot.error)")
        #expect(snapshot.error.contains("is pending still"), "\(snapshot.error)")
        try io("write -P 0x33 8M 8M", on: gateway.url("disk"))
        #expect(!FileManager.default.fileExists(atPath: bucket.path), "nobody made another bucket")

        try FileManager.default.moveItem(at: away, to: bucket)
        try gateway.sluice("volume", "sync", "disk", "--timeout", "60s")
        try gateway.sluice("status", "--wait", "30s")
        let exported = gateway.path("exported.img").path
        try gateway.sluice(
            "export", "--bucket", "file://\(bucket.path)", "--volume", "disk", "--output", exported)
        try io("read -P 0x11 0 4M", "read -P 0x22 4M 4M", "read -P 0x33 8M 8M", on: exported)
    }
}
