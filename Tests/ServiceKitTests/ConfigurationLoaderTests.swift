// SPDX-License-Identifier: Apache-2.0
import Logging
import ObjectStorage
import ServiceKit
import TestSupport
import Testing

struct ConfigurationLoaderTests {
    private func load(
        _ yaml: String, environment: [String: String] = [:], overrides: [String] = []
    ) throws -> GatewayConfiguration {
        let directory = try TemporaryDirectory()
        let file = try directory.file("gateway.yaml", yaml)
        return try ConfigurationLoader(
            path: file, environment: environment, overrides: overrides, workingDirectory: "/srv/dir"
        ).load()
    }

    private func problems(
        _ yaml: String, environment: [String: String] = [:], overrides: [String] = []
    ) throws -> [ConfigurationError.Problem] {
        do {
            _ = try load(yaml, environment: environment, overrides: overrides)
        } catch let error as ConfigurationError {
            return error.problems
        }
        return []
    }

    @Test func emptyFileGivesTheDefaults() throws {
        #expect(try load("") == GatewayConfiguration())
        #expect(try load("# nothing but a comment\n") == GatewayConfiguration())
    }

    @Test func readsEveryKindOfValue() throws {
        let configuration = try load(
            """
            journal:
              size: 32GiB
              directories: [/disk1/journal, /disk2/journal]
            commit.interval: 30s
            iscsi:
              listen: 10.0.0.1:3260
            uploader: {write_slots: 9}
            bucket:
              url: file:///srv/bucket%20one
              prefix: a/b
            log:
              level: debug
              format: json
            """)
        #expect(configuration.journalSize == .gibibytes(32))
        #expect(configuration.journalDirectories.map(\.path) == ["/disk1/journal", "/disk2/journal"])
        #expect(configuration.commitInterval == .seconds(30))
        #expect(configuration.iscsiListen == [ListenAddress(host: "10.0.0.1", port: 3260)])
        #expect(configuration.uploaderWriteSlots == 9)
        #expect(try configuration.bucket().url.place == .directory("/srv/bucket one"))
        #expect(try configuration.bucket().url.prefix == "a/b")
        #expect(configuration.logLevel == .debug)
        #expect(configuration.logFormat == .json)
    }

    @Test func relativePathsStartWhereTheyWereWritten() throws {
        let directory = try TemporaryDirectory()
        let file = try directory.file("gateway.yaml", "state.directory: state\njournal: {directories: [../j]}\n")
        let configuration = try ConfigurationLoader(
            path: file, environment: ["SLUICE_RUN_DIRECTORY": "run"], overrides: ["cache.directories=a,b"],
            workingDirectory: "/srv/me"
        ).load()
        #expect(configuration.stateDirectory.path == directory.path + "/state")
        #expect(configuration.journalDirectories.map(\.path) == ["/tmp/j"])
        #expect(configuration.runDirectory.path == "/srv/me/run")
        #expect(configuration.cacheDirectories.map(\.path) == ["/srv/me/a", "/srv/me/b"])
    }

    @Test func commandLineBeatsEnvironmentBeatsFile() throws {
        let yaml = "journal.size: 4GiB\ncache.memory: 64MiB\nlog.level: error\n"
        let environment = ["SLUICE_JOURNAL_SIZE": "8GiB", "SLUICE_CACHE_MEMORY": "128MiB"]
        let configuration = try load(yaml, environment: environment, overrides: ["journal.size=12GiB"])
        #expect(configuration.journalSize == .gibibytes(12))
        #expect(configuration.cacheMemory == .mebibytes(128))
        #expect(configuration.logLevel == .error)
    }

    @Test func refusesUnknownKeysWithLineAndNearestKey() throws {
        let found = try problems("journal:\n  size: 4GiB\n  segment_sise: 32MiB\n")
        #expect(found.count == 1)
        #expect(found.first?.key == "journal.segment_sise")
        #expect(found.first?.place.hasSuffix("/gateway.yaml:3") == true)
        #expect(found.first?.reason == "unknown key; did you mean journal.segment_size?")
    }

    @Test func refusesUnknownKeysOfEnvironmentAndCommandLine() throws {
        let found = try problems("", environment: ["SLUICE_JOURNAL_SIZ": "1GiB"], overrides: ["log.levle=info", "x"])
        #expect(found.map(\.place) == ["environment variable SLUICE_JOURNAL_SIZ", "--set", "--set"])
        #expect(found.map(\.key).contains("journal.siz"))
        #expect(found.contains { $0.reason.contains("did you mean log.level?") })
        #expect(found.contains { $0.reason == "write key=value" })
    }

    @Test func leavesVariablesOfOthersAlone() throws {
        let environment = ["SLUICE_BUS_TRACE": "1", "SLUICE_CACHE_SERVICE_HOST": "10.0.0.9", "PATH": "/bin"]
        #expect(try load("", environment: environment) == GatewayConfiguration())
    }

    @Test func namesEveryProblemAtOnce() throws {
        let found = try problems(
            """
            journal.size: 16G
            commit.interval: 1s
            iscsi.listen: [3260]
            log.level: loud
            bucket.url: s3://Bucket
            cache.directories: []
            uploader.read_slots: many
            """)
        #expect(found.count == 7)
        #expect(found.allSatisfy { !$0.reason.isEmpty && $0.place.contains(".yaml:") })
    }

    @Test(arguments: [
        ("state.directory: [a, b]", "takes one directory, not a list"),
        ("journal.size:", "has no value"),
        ("journal.size: {a: 1}", "takes a value, not further keys"),
        ("journal.directories: [/a, /b/../a]", "is in the list twice"),
        ("iscsi.target_prefix: IQN.2026-11.io", "is not like iqn"),
        ("journal.segment_size: 16MiB", "16MiB is neither 32MiB nor 64MiB"),
        ("uploader.write_slots: 65", "is not between 1 and 64"),
        ("journal.size: 1GiB\njournal.volume_buffer: 2GiB", "is more than journal.size"),
        ("journal.segment_size: 64MiB\njournal.volume_buffer: 128MiB", "is less than four times journal.segment_size"),
        ("cache.size: 1MiB", "is not between 128MiB and 8TiB"),
        ("cache.size: 200MiB\ncache.directories: [/a, /b]", "at least 128MiB are needed"),
        ("bucket.prefix: a//b", "cannot"),
        ("journal.size: 1GiB\njournal: {size: 2GiB}", "is already set at"),
        ("journal: [unclosed", "is not YAML"),
        ("- a\n- b", "is not a YAML mapping"),
        ("log: {level: info, level: debug}", "stands twice"),
    ])
    func refuses(_ yaml: String, because reason: String) throws {
        let found = try problems(yaml)
        #expect(found.contains { $0.reason.contains(reason) }, "\(found)")
    }

    @Test func missingFileIsAnErrorOnlyWhenNamed() throws {
        #expect(throws: ConfigurationError.self) {
            try ConfigurationLoader(
                path: "/nonexistent/gateway.yaml", environment: [:], overrides: [], workingDirectory: "/"
            ).load()
        }
        let named = ConfigurationLoader(
            path: nil, environment: ["SLUICE_CONFIG": "conf.yaml"], overrides: [], workingDirectory: "/srv")
        #expect(try named.fileToRead() == "/srv/conf.yaml")
    }

    @Test func everyDefaultReadsBackAsItself() throws {
        for key in GatewayConfiguration.keys where key.name != "bucket.url" {
            let text = key.text(in: GatewayConfiguration())
            // An empty text is a default that YAML has to quote.
            #expect(try load("\(key.name): \(text.isEmpty ? "''" : text)") == GatewayConfiguration(), "\(key.name)")
        }
    }

    @Test func keysAndVariablesAreUnique() {
        let keys = GatewayConfiguration.keys
        #expect(Set(keys.map(\.name)).count == keys.count)
        #expect(Set(keys.map(\.environmentVariable)).count == keys.count)
        #expect(GatewayConfiguration.key(named: "journal.size")?.environmentVariable == "SLUICE_JOURNAL_SIZE")
    }

    @Test func bucketIsRequiredOnlyWhenAskedFor() throws {
        let configuration = try load("")
        #expect(throws: ConfigurationError.self) { try configuration.bucket() }
    }
}
