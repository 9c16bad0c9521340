// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Messages
import ServiceKit

struct CacheCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cache", abstract: "Show the read cache, and change its directories and size while it is in use.",
        discussion: """
            Losing the cache loses nothing: what is not in it is fetched from the bucket.

            What is set here holds across restarts, in place of cache.directories and cache.size, until one of these
            two is changed in the configuration: then the configuration holds again.
            """,
        subcommands: [CacheList.self, CacheAdd.self, CacheRemove.self, CacheResize.self])
}

/// Each cache manager has a read cache of its own.
struct CacheManagerOption: ParsableArguments {
    @Option(
        name: .customLong("service"),
        help: "Which cache manager, if there are several, as `sluice status` calls it: cache-1, cache@172.18.0.3.")
    var name: String?

    func choose(_ client: GatewayClient) async throws -> ServiceEntry {
        let running = try await client.running(.cache)
        let names = running.map(\.name).joined(separator: ", ")
        guard let name else {
            guard running.count == 1 else {
                throw ServiceFailure(
                    .usage, "this gateway has \(running.count) cache managers: name one with --service (\(names))")
            }
            return running[0]
        }
        guard let found = running.first(where: { $0.name == name }) else {
            throw ServiceFailure(.usage, "there is no running cache manager \(name), only \(names)")
        }
        return found
    }
}

struct CacheList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Show the cache's directories, how full they are and how well it works.")
    @OptionGroup var manager: CacheManagerOption
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let client = try GatewayClient(gateway)
        let entry = try await manager.choose(client)
        let cache = try await client.ask(entry, CacheShowRequest(), timeout: .seconds(30))
        try output.show(CacheOutput(cache), or: CacheOutput(cache).text)
    }
}

/// What the changing commands have in common.
private func change(
    _ change: CacheChangeRequest.Change, _ manager: CacheManagerOption, _ gateway: GatewayOptions,
    _ output: OutputOptions
) async throws {
    let client = try GatewayClient(gateway)
    let entry = try await manager.choose(client)
    let cache = try await client.ask(entry, CacheChangeRequest(change), timeout: .seconds(30))
    try output.show(CacheOutput(cache), or: CacheOutput(cache).text)
}

struct CacheAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "Use one more directory, which must exist.",
        discussion: """
            Without --size the cache stays as large as it is and is spread over one directory more; what that
            takes from the others goes, oldest first.

            Example: sluice cache add /mnt/nvme1/sluice-cache --size 200GiB
            """)
    @Argument(help: "The directory.") var directory: String
    @Option(name: .long, help: "By how much the cache grows.") var size: ByteSize?
    @OptionGroup var manager: CacheManagerOption
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        try await change(.add(directory: absolute(directory), byteCount: size?.byteCount), manager, gateway, output)
    }
}

struct CacheRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Stop using a directory and remove the cache's files from it.",
        discussion: "The cache becomes smaller by the directory's share. Example: sluice cache remove /mnt/old/cache")
    @Argument(help: "The directory.") var directory: String
    @OptionGroup var manager: CacheManagerOption
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions

    func run() async throws { try await change(.remove(directory: absolute(directory)), manager, gateway, output) }
}

struct CacheResize: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resize", abstract: "Make the cache larger or smaller, all directories together.",
        discussion: "A smaller cache gives up what is oldest at once. Example: sluice cache resize 100GiB")
    @Argument(help: "The new size, at least 128MiB for each directory.") var size: ByteSize
    @OptionGroup var manager: CacheManagerOption
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions

    func run() async throws { try await change(.resize(byteCount: size.byteCount), manager, gateway, output) }
}

private func absolute(_ path: String) -> String {
    DirectoryPath(path, relativeTo: ProcessEnvironment.workingDirectory).path
}
