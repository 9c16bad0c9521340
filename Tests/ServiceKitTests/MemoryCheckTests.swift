// SPDX-License-Identifier: Apache-2.0
import Platform
import ServiceKit
import Testing

struct MemoryCheckTests {
    @Test func aConfigurationThatDoesNotFitIsRefusedWithItsParts() throws {
        var configuration = GatewayConfiguration()
        try configuration.checkMemory(available: 2 << 30)
        configuration.cacheMemory = .gibibytes(3)
        let error = try #require(throws: ConfigurationError.self) {
            try configuration.checkMemory(available: 4 << 30)
        }
        #expect(error.description.contains("may need 4.6 GiB of memory, and there are 4 GiB here"), "\(error)")
        for part in ["3 GiB for cache.memory", "256 MiB for iscsi.write_memory", "512 MiB for the index of"] {
            #expect(error.description.contains(part), "\(error)")
        }
        configuration.cacheMemory = .gibibytes(2)
        try configuration.checkMemory(available: 4 << 30)
    }

    @Test func limitsOfControlGroupsAreFoundInBothVersions() {
        #expect(
            ProcessMemory.limitFiles("0::/system.slice/sluice.service\n") == [
                "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/system.slice/memory.max",
                "/sys/fs/cgroup/system.slice/sluice.service/memory.max",
            ])
        #expect(
            ProcessMemory.limitFiles("4:cpu,memory:/a\n3:cpuset:/a\n") == [
                "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/a/memory.limit_in_bytes",
            ])
        #expect(ProcessMemory.limitFiles("nonsense").isEmpty)
        #expect(ProcessMemory.availableByteCount() > 64 << 20)
    }
}
