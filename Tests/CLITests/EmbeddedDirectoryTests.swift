// SPDX-License-Identifier: Apache-2.0
import CLI
import ObjectStorage
import Platform
import ServiceKit
import TestSupport
import Testing

struct EmbeddedDirectoryTests {
    @Test func makesADirectoryThatPassesAllChecks() throws {
        let directory = try TemporaryDirectory()
        let embedded = EmbeddedDirectory(DirectoryPath(directory.path + "/a/gate way"))
        try embedded.create()
        let configuration = try ConfigurationLoader(
            path: embedded.configurationPath, environment: [:], overrides: [], workingDirectory: "/"
        ).load()
        try configuration.checkDirectories(DirectoryUse.allCases)
        #expect(try configuration.bucket().url.place == .directory(directory.path + "/a/gate way/bucket"))
        #expect(configuration.stateDirectory.path == directory.path + "/a/gate way/state")
    }

    @Test func leavesWhatIsThereAlone() throws {
        let directory = try TemporaryDirectory()
        let embedded = EmbeddedDirectory(DirectoryPath(directory.path))
        try FileSystem.replace(embedded.configurationPath, with: "log: {level: debug}\n")
        try embedded.create()
        #expect(try FileSystem.readFile(embedded.configurationPath, limit: 100) == Array("log: {level: debug}\n".utf8))
    }
}
