// SPDX-License-Identifier: Apache-2.0
import Glibc
import Platform
import ServiceKit
import TestSupport
import Testing

struct DirectoryCheckTests {
    /// A configuration whose directories all exist below a temporary one.
    private func prepared(_ directory: TemporaryDirectory) throws -> GatewayConfiguration {
        var configuration = GatewayConfiguration()
        configuration.stateDirectory = DirectoryPath(try directory.directory("state"))
        configuration.runDirectory = DirectoryPath(directory.path + "/run")
        configuration.journalDirectories = [DirectoryPath(try directory.directory("journal"))]
        configuration.cacheDirectories = [DirectoryPath(try directory.directory("cache"))]
        configuration.bucketURL = "file://" + (try directory.directory("bucket"))
        return configuration
    }

    private func complaints(_ configuration: GatewayConfiguration, _ uses: [DirectoryUse]) -> [String] {
        do {
            try configuration.checkDirectories(uses)
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    @Test func acceptsGoodDirectoriesAndMakesTheRunDirectory() throws {
        let directory = try TemporaryDirectory()
        let configuration = try prepared(directory)
        #expect(complaints(configuration, DirectoryUse.allCases) == [])
        #expect(FileSystem.exists(directory.path + "/run"))
    }

    @Test func complainsOfMissingDirectoriesFilesAndBuckets() throws {
        let directory = try TemporaryDirectory()
        var configuration = try prepared(directory)
        configuration.stateDirectory = DirectoryPath(directory.path + "/absent")
        configuration.journalDirectories.append(DirectoryPath(try directory.file("plain", "")))
        configuration.bucketURL = ""
        let found = complaints(configuration, DirectoryUse.allCases)
        #expect(found.count == 3)
        #expect(found.contains { $0.hasPrefix("state.directory: ") && $0.contains("does not exist; create it") })
        #expect(found.contains { $0.hasPrefix("journal.directories: ") && $0.contains("is not a directory") })
        #expect(found.contains { $0.hasPrefix("bucket.url: is not set") })
        #expect(complaints(configuration, [.cache]) == [], "a service checks only what it uses")
    }

    @Test func namesAllDirectoriesThatCannotHoldACache() throws {
        let directory = try TemporaryDirectory()
        let names = try prepared(directory).directoriesBesidesCache.map { $0.dropFirst(directory.path.count + 1) }
        #expect(names.sorted() == ["bucket", "journal", "run", "state"])
    }

    @Test func complainsOfOneDirectoryUsedTwice() throws {
        let directory = try TemporaryDirectory()
        var configuration = try prepared(directory)
        #expect(unsafe symlink(directory.path + "/journal", directory.path + "/link") == 0)
        configuration.cacheDirectories = [DirectoryPath(directory.path + "/link")]
        let found = complaints(configuration, [.journal])
        #expect(found.count == 1)
        #expect(found.first?.contains("is the same directory as") == true)
    }

    /// The same rule as `sluice cache add` has.
    @Test(
        arguments: [
            ("bucket/below", "lies in"), ("journal/below", "lies in"), ("", "holds"), ("cache/below", "lies in"),
            ("cache", "is the same directory as"),
        ])
    func complainsOfACacheThatSharesADirectory(_ name: String, _ relation: String) throws {
        let directory = try TemporaryDirectory()
        var configuration = try prepared(directory)
        let path = name.isEmpty ? directory.path : directory.path + "/" + name
        if !FileSystem.exists(path) { try FileSystem.createDirectory(path) }
        configuration.cacheDirectories.append(DirectoryPath(path))
        let found = complaints(configuration, [.state])
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("cache.directories: \(path) \(relation) ") == true, "\(found)")
    }

    @Test func namesThatOnlyBeginAlikeAreApart() throws {
        let directory = try TemporaryDirectory()
        var configuration = try prepared(directory)
        configuration.cacheDirectories.append(DirectoryPath(try directory.directory("cache-2")))
        #expect(complaints(configuration, DirectoryUse.allCases) == [])
    }

    @Test(.enabled(if: geteuid() != 0, "root may write everywhere"))
    func complainsOfDirectoriesThatCannotBeWritten() throws {
        let directory = try TemporaryDirectory()
        var configuration = try prepared(directory)
        configuration.stateDirectory = DirectoryPath(try directory.directory("sealed", mode: 0o555))
        #expect(complaints(configuration, [.state]).first?.contains("cannot be written") == true)
    }
}
