// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Messages
import Platform
import ServiceKit
import ServiceLifecycle

/// `sluice-cache`: owns the volumes of one state directory. Its shard's thread answers at the service's endpoint
/// itself, because requests, jobs and their results are one conversation with one owner.
@main
struct CacheManagerMain: ServiceCommand {
    static let kind = ServiceKind.cache
    static let directories: [DirectoryUse] = [.state, .journal]
    static let bindsItsEndpoint = true
    static let configuration = commandConfiguration("Own the gateway's volumes: journal, cache, commits to the bucket.")
    private static let diskThreadCount = 4
    /// Reads of a cold cache wait for its disks, which are fast with many at once.
    private static let cacheThreadCount = 8
    @OptionGroup var options: ConfigurationOptions

    func makeServices(_ context: ServiceContext) async throws -> [any Service] {
        try Failpoint.checkEnvironment()
        try context.configuration.checkMemory()
        let configuration = CacheManagerConfiguration(context.configuration)
        // The lock comes before anything is looked at: two cache managers never read the same state.
        let state = try StateDirectory(
            path: configuration.statePath, holder: "\(ProcessEnvironment.hostName) \(context.slot.name)")
        let gateway = try state.gatewayID { Randomness.nonzeroUInt64() }
        let executor = try DiskExecutor(threadCount: Self.diskThreadCount)
        let cacheExecutor = try DiskExecutor(name: "cache", threadCount: Self.cacheThreadCount)
        return [
            try ShardService(
                ShardLoop.Parts(
                    configuration: configuration, state: state, gateway: gateway, executor: executor,
                    cacheExecutor: cacheExecutor, cacheThreadCount: Self.cacheThreadCount, context: context,
                    powerOn: ProcessEnvironment.bootID))
        ]
    }
}
