// SPDX-License-Identifier: Apache-2.0
import Foundation
import GatewayHarness
import Glibc
import Testing

/// Disks with less room than the gateway was promised; mounting them takes root, as `make test` has in CI.
@Suite(.serialized, .enabled(if: getuid() == 0, "mounts small disks")) struct FullDiskTests {
    /// Puts a file system in memory on one of the gateway's directories.
    private func mount(_ directory: URL, mebibytes: Int, _ options: String = "") throws {
        let result = try GatewayUnderTest.run(
            "mount", ["-t", "tmpfs", "-o", "\(options)size=\(mebibytes)m", "tmpfs", directory.path])
        try #require(result.status == 0, "\(result.error)")
    }

    private func unmount(_ directory: URL) {
        _ = try? GatewayUnderTest.run("umount", ["--lazy", directory.path])
    }

    private func write(_ mebibytes: Int, from source: URL, to url: String) throws {
        let result = try GatewayUnderTest.run(
            "qemu-io", ["-f", "raw", "-c", "write -s \(source.path) 0 \(mebibytes)M", url])
        #expect(result.status == 0 && !result.output.contains("failed"), "\(result)")
    }

    /// Bytes that no compression makes smaller.
    private func noise(_ mebibytes: Int, in gateway: GatewayUnderTest) throws -> URL {
        let file = gateway.path("noise")
        let result = try GatewayUnderTest.run(
            "dd", ["if=/dev/urandom", "of=\(file.path)", "bs=1M", "count=\(mebibytes)"])
        try #require(result.status == 0)
        return file
    }

    @Test(.timeLimit(.minutes(3)))
    func aJournalDiskSmallerThanTheUploadBufferSlowsWritesAndStopsNothing() throws {
        let gateway = try GatewayUnderTest(settings: "commit: {interval: 2s}")
        defer { gateway.tearDown() }
        try mount(gateway.path("journal"), mebibytes: 200)
        defer { unmount(gateway.path("journal")) }
        try gateway.start()
        try gateway.sluice("volume", "create", "disk", "--size", "1GiB")
        try gateway.waitForTarget("disk")
        let noise = try noise(400, in: gateway)
        try write(400, from: noise, to: gateway.url("disk"))
        try gateway.sluice("volume", "sync", "disk")
        gateway.killAll()
        try gateway.start()
        try gateway.waitForTarget("disk")
        try write(400, from: noise, to: gateway.url("disk"))
        let image = gateway.path("read.img").path
        let read = try GatewayUnderTest.run(
            "qemu-img",
            ["dd", "-f", "raw", "-O", "raw", "bs=1M", "count=400", "if=\(gateway.url("disk"))", "of=\(image)"])
        #expect(read.status == 0, "\(read)")
        #expect(try GatewayUnderTest.run("cmp", [noise.path, image]).status == 0)
    }

    @Test(.timeLimit(.minutes(3)))
    func aFullStateDirectoryIsNamedAndCostsNothingOnceItHasRoom() throws {
        let gateway = try GatewayUnderTest(settings: "commit: {interval: 2s}")
        defer { gateway.tearDown() }
        let state = gateway.path("state")
        try mount(state, mebibytes: 1)
        defer { unmount(state) }
        try gateway.start()
        try gateway.sluice("volume", "create", "disk", "--size", "1GiB")
        try gateway.waitForTarget("disk")
        let filler = state.appendingPathComponent("filler")
        _ = try GatewayUnderTest.run("dd", ["if=/dev/zero", "of=\(filler.path)", "bs=4k"])
        let noise = try noise(32, in: gateway)
        try write(32, from: noise, to: gateway.url("disk"))
        try gateway.wait("the full directory is named", seconds: 20) {
            ((try? gateway.sluice("volume", "show", "disk")) ?? "").contains("the state directory has no room")
        }
        try write(16, from: noise, to: gateway.url("disk"))
        let doctor = try GatewayUnderTest.run(
            gateway.binaries.appendingPathComponent("sluice").path,
            ["doctor", "--config", gateway.configurationFile.path])
        #expect(doctor.status == 75 && doctor.output.contains("state.directory"), "\(doctor)")
        // A volume cannot be made now, and that is said at once.
        let refused = #expect(throws: GatewayUnderTest.CommandFailure.self) {
            try gateway.sluice("volume", "create", "other", "--size", "1GiB")
        }
        #expect(refused?.error.contains("No space left on device") == true, "\(refused?.error ?? "")")
        try FileManager.default.removeItem(at: filler)
        try gateway.sluice("volume", "sync", "disk", "--timeout", "60s")
        gateway.killAll()
        try gateway.start()
        try gateway.waitForTarget("disk")
        let image = gateway.path("read.img").path
        let read = try GatewayUnderTest.run(
            "qemu-img",
            ["dd", "-f", "raw", "-O", "raw", "bs=1M", "count=32", "if=\(gateway.url("disk"))", "of=\(image)"])
        #expect(read.status == 0, "\(read)")
        #expect(try GatewayUnderTest.run("cmp", [noise.path, image]).status == 0)
    }

    @Test(.timeLimit(.minutes(3)))
    func aFullBucketIsNamedAndGoesOnWhenItHasRoom() throws {
        let gateway = try GatewayUnderTest(settings: "commit: {interval: 2s}")
        defer { gateway.tearDown() }
        let bucket = gateway.path("bucket")
        try mount(bucket, mebibytes: 64)
        defer { unmount(bucket) }
        try gateway.start()
        try gateway.sluice("volume", "create", "disk", "--size", "1GiB")
        try gateway.waitForTarget("disk")
        let noise = try noise(128, in: gateway)
        try write(128, from: noise, to: gateway.url("disk"))
        let failure = #expect(throws: GatewayUnderTest.CommandFailure.self) {
            try gateway.sluice("volume", "sync", "disk", "--timeout", "10s")
        }
        #expect(failure?.error.contains("No space left on device") == true, "\(failure?.error ?? "")")
        let status = try GatewayUnderTest.run(
            gateway.binaries.appendingPathComponent("sluice").path,
            ["status", "--config", gateway.configurationFile.path])
        #expect(status.status == 69 && status.output.contains("No space left on device"), "\(status)")
        try mount(bucket, mebibytes: 512, "remount,")
        try gateway.sluice("volume", "sync", "disk", "--timeout", "60s")
        let exported = gateway.path("exported.img").path
        try gateway.sluice("export", "--bucket", "file://\(bucket.path)", "--volume", "disk", "--output", exported)
        let compared = try GatewayUnderTest.run("cmp", ["-n", "\(128 << 20)", noise.path, exported])
        #expect(compared.status == 0, "\(compared)")
    }
}
