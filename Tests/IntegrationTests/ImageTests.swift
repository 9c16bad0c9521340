// SPDX-License-Identifier: Apache-2.0
import Foundation
import GatewayHarness
import Testing

/// A real file system goes in, the machine is lost, the same bytes come out of the bucket.
@Suite(.serialized) struct ImageTests {
    /// An ext4 image of a real tree of at least 1 GiB: the Swift toolchain that built this test.
    private static func makeImage(in directory: URL) throws -> (path: String, gibibytes: Int) {
        let swift = try GatewayUnderTest.run("sh", ["-c", "readlink -f \"$(command -v swift)\""]).output
        let tree = URL(fileURLWithPath: swift.trimmingCharacters(in: .whitespacesAndNewlines))
            .deletingLastPathComponent().deletingLastPathComponent().path
        let usage = try GatewayUnderTest.run("du", ["-s", "--block-size=1M", tree]).output
        let mebibytes = try #require(Int(usage.prefix { $0.isNumber }))
        try #require(mebibytes >= 1024, "\(tree) holds less than 1 GiB")
        let gibibytes = (mebibytes * 115 / 100 + 1023) / 1024
        let path = directory.appendingPathComponent("source.img").path
        let result = try GatewayUnderTest.run(
            "mke2fs", ["-q", "-t", "ext4", "-d", tree, path, "\(gibibytes)G"])
        try #require(result.status == 0, "mke2fs: \(result.error)")
        return (path, gibibytes)
    }

    private func qemu(_ arguments: String...) throws {
        let result = try GatewayUnderTest.run("qemu-img", arguments)
        try #require(result.status == 0, "qemu-img \(arguments): \(result.output)\(result.error)")
        #expect(result.error.isEmpty, "qemu-img \(arguments) complains: \(result.error)")
    }

    @Test(.timeLimit(.minutes(15)))
    func aFileSystemSurvivesTheLossOfTheMachine() throws {
        let gateway = try GatewayUnderTest()
        defer { gateway.tearDown() }
        let image = try Self.makeImage(in: gateway.directory)
        try gateway.start()
        try gateway.sluice("volume", "create", "disk", "--size", "\(image.gibibytes)GiB")
        try gateway.waitForTarget("disk")
        try qemu("convert", "-n", "-f", "raw", "-O", "raw", image.path, gateway.url("disk"))
        try qemu("compare", "-f", "raw", "-F", "raw", image.path, gateway.url("disk"))

        try gateway.sluice("volume", "sync", "disk")
        gateway.killAll()
        for name in ["state", "journal", "cache", "run"] {
            try FileManager.default.removeItem(at: gateway.path(name))
            try FileManager.default.createDirectory(at: gateway.path(name), withIntermediateDirectories: true)
        }
        try gateway.start()
        #expect(try gateway.sluice("volume", "discover").contains("disk"))
        try gateway.sluice("volume", "attach", "disk", "--force")
        try gateway.waitForTarget("disk")
        try qemu("compare", "-f", "raw", "-F", "raw", image.path, gateway.url("disk"))

        let exported = gateway.path("exported.img").path
        try gateway.sluice(["export", "--volume", "disk", "--output", exported] + gateway.bucketArguments)
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
