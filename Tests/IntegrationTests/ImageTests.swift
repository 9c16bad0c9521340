// SPDX-License-Identifier: Apache-2.0
import Foundation
import GatewayHarness
import S3Servers
import Testing

/// A real file system goes in, the machine is lost, the same bytes come out of the bucket.
@Suite(.serialized) struct ImageTests {
    /// The Swift toolchain that built this test.
    private static func toolchain() throws -> String {
        let swift = try GatewayUnderTest.run("sh", ["-c", "readlink -f \"$(command -v swift)\""]).output
        return URL(fileURLWithPath: swift.trimmingCharacters(in: .whitespacesAndNewlines))
            .deletingLastPathComponent().deletingLastPathComponent().path
    }

    private static func mebibytes(of tree: String) throws -> Int {
        let usage = try GatewayUnderTest.run("du", ["-s", "--block-size=1M", tree]).output
        return try #require(Int(usage.prefix { $0.isNumber }))
    }

    /// The toolchain's largest folder of libraries with at most 400 MiB.
    private static func smallTree() throws -> String {
        let libraries = try toolchain() + "/lib/swift"
        let sized = try FileManager.default.contentsOfDirectory(atPath: libraries)
            .map { (path: "\(libraries)/\($0)", mebibytes: try mebibytes(of: "\(libraries)/\($0)")) }
        let best = sized.filter { $0.mebibytes <= 400 }.max { $0.mebibytes < $1.mebibytes }
        return try #require(best, "\(libraries) is empty").path
    }

    /// An ext4 image of a real tree.
    private static func makeImage(of tree: String, in directory: URL) throws -> (path: String, gibibytes: Int) {
        let gibibytes = (try mebibytes(of: tree) * 115 / 100 + 1023) / 1024
        let path = directory.appendingPathComponent("source.img").path
        let result = try GatewayUnderTest.run(
            "mke2fs", ["-q", "-t", "ext4", "-d", tree, path, "\(gibibytes)G"])
        try #require(result.status == 0, "mke2fs: \(result.error)")
        return (path, gibibytes)
    }

    private func qemu(_ arguments: String...) throws {
        let result = try GatewayUnderTest.run("qemu-img", arguments, seconds: 600)
        try #require(result.status == 0, "qemu-img \(arguments): \(result.output)\(result.error)")
        #expect(result.error.isEmpty, "qemu-img \(arguments) complains: \(result.error)")
    }

    @Test(.timeLimit(.minutes(15)))
    func aFileSystemSurvivesTheLossOfTheMachine() throws {
        let tree = try Self.toolchain()
        try #require(try Self.mebibytes(of: tree) >= 1024, "\(tree) holds less than 1 GiB")
        try survivesTheLossOfTheMachine(tree, bucket: nil)
    }

    /// The whole toolchain too with `SLUICE_FULL_IMAGE=1` (`make image-s3`).
    @Test(.timeLimit(.minutes(30)))
    func aFileSystemSurvivesTheLossOfTheMachineInSeaweedFS() throws {
        let isFull = ProcessInfo.processInfo.environment["SLUICE_FULL_IMAGE"] == "1"
        let server = try S3Server.start(.seaweedFS)
        defer { server.stop() }
        try survivesTheLossOfTheMachine(
            isFull ? try Self.toolchain() : try Self.smallTree(),
            bucket: GatewayUnderTest.S3Bucket(
                endpoint: server.endpoint, name: server.bucket, prefix: "image", accessKey: server.accessKey,
                secretKey: server.secretKey))
    }

    private func survivesTheLossOfTheMachine(_ tree: String, bucket: GatewayUnderTest.S3Bucket?) throws {
        let gateway = try GatewayUnderTest(s3: bucket)
        defer { gateway.tearDown() }
        let image = try Self.makeImage(of: tree, in: gateway.directory)
        let clock = ContinuousClock()
        var mark = clock.now
        // Shown for whoever measures a full image by hand.
        func note(_ what: String) {
            print("image of \(image.gibibytes) GiB: \(what) after \(clock.now - mark)")
            mark = clock.now
        }
        try gateway.start()
        try gateway.sluice("volume", "create", "disk", "--size", "\(image.gibibytes)GiB")
        try gateway.waitForTarget("disk")
        note("the volume stands")
        try qemu("convert", "-n", "-f", "raw", "-O", "raw", image.path, gateway.url("disk"))
        note("written")
        try qemu("compare", "-f", "raw", "-F", "raw", image.path, gateway.url("disk"))
        note("compared")

        try gateway.sluice("volume", "sync", "disk")
        note("in the bucket")
        gateway.killAll()
        for name in ["state", "journal", "cache", "run"] {
            try FileManager.default.removeItem(at: gateway.path(name))
            try FileManager.default.createDirectory(at: gateway.path(name), withIntermediateDirectories: true)
        }
        try gateway.start()
        #expect(try gateway.sluice("volume", "discover").contains("disk"))
        try gateway.sluice("volume", "attach", "disk", "--force")
        try gateway.waitForTarget("disk")
        note("attached by a machine that knows nothing")
        try qemu("compare", "-f", "raw", "-F", "raw", image.path, gateway.url("disk"))
        note("compared")

        let exported = gateway.path("exported.img").path
        try gateway.sluice(["export", "--volume", "disk", "--output", exported] + gateway.bucketArguments)
        note("exported")
        #expect(try GatewayUnderTest.run("cmp", [image.path, exported]).status == 0)
        let check = try GatewayUnderTest.run("e2fsck", ["-fn", exported])
        #expect(check.status == 0, "\(check.output)")
    }

    @Test(.timeLimit(.minutes(5)))
    func aSnapshotKeepsTheVolumeAsItWas() throws {
        let gateway = try GatewayUnderTest()
        defer { gateway.tearDown() }
        try gateway.start()
        try gateway.sluice("volume", "create", "origin", "--size", "1GiB")
        try gateway.waitForTarget("origin")
        try io("write -P 0x11 0 8M", "write -P 0x22 100M 1M", on: gateway.url("origin"))
        let created = try gateway.sluice("snapshot", "create", "origin", "--json")
        let id = try #require(created.firstMatch(of: /snap-[0-9a-f]{17}/)).output
        try io("write -P 0x33 0 4M", on: gateway.url("origin"))
        try gateway.sluice("volume", "create", "copy", "--snapshot", String(id))
        try gateway.waitForTarget("copy")
        try io("read -P 0x11 0 8M", "read -P 0x22 100M 1M", "write -P 0x44 4M 1M", on: gateway.url("copy"))
        try io("read -P 0x33 0 4M", "read -P 0x11 4M 4M", on: gateway.url("origin"))
        #expect(try gateway.sluice("snapshot", "list").contains(id))
        let exported = gateway.path("snapshot.img").path
        try gateway.sluice(["export", "--snapshot", String(id), "--output", exported] + gateway.bucketArguments)
        try io("read -P 0x11 0 8M", "read -P 0x22 100M 1M", on: exported)
        try gateway.sluice("snapshot", "delete", String(id))
        #expect(try !gateway.sluice("snapshot", "list").contains(id))
        try io("read -P 0x44 4M 1M", "read -P 0x11 0 4M", on: gateway.url("copy"))
        try gateway.sluice("volume", "delete", "copy", "--yes")
        for what in [["--snapshot", String(id)], ["--volume", "copy"]] {
            let refusal = #expect(throws: GatewayUnderTest.CommandFailure.self) {
                try gateway.sluice(["export", "--output", exported] + gateway.bucketArguments + what)
            }
            #expect(refusal?.status == 65 && refusal?.error.contains("was deleted") == true, "\(what)")
        }
    }

    private func io(_ commands: String..., on url: String) throws {
        let result = try GatewayUnderTest.run(
            "qemu-io", ["-f", "raw"] + commands.flatMap { ["-c", $0] } + [url])
        try #require(
            result.status == 0 && !result.output.contains("failed"),
            "qemu-io \(commands): \(result.output)\(result.error)")
    }
}
