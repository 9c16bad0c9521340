// SPDX-License-Identifier: Apache-2.0
import CacheManager
import Engine
import Logging
import Synchronization
import Testing
import Wire

@Suite struct EngineReportLogTests {
    private final class Lines: Sendable {
        let messages = Mutex<[String]>([])
    }

    private struct Recorder: LogHandler {
        let lines: Lines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: LogEvent) { lines.messages.withLock { $0.append("\(event.message)") } }
    }

    /// A full disk: each attempt fails with the name of another temporary file, and two things fail in turn.
    @Test func troubleThatGoesOnIsToldOnceWhateverItsText() throws {
        let gateway = try GatewayHarness()
        try gateway.create()
        let hosted = try #require(gateway.shard.sortedVolumes.first)
        let lines = Lines()
        let logger = Logger(label: "test") { _ in Recorder(lines: lines) }
        var log = EngineReportLog()
        for attempt in 0..<10 {
            log.log(.commitDelayed("no space for \(attempt).tmp"), of: hosted, to: logger)
            log.log(.journalSpaceMissing("no space for \(attempt).seg"), of: hosted, to: logger)
        }
        #expect(lines.messages.withLock { $0.count } == 2)
        log.log(.committed(number: 1, bytes: 1, packs: 1), of: hosted, to: logger)
        log.log(.commitDelayed("again"), of: hosted, to: logger)
        #expect(lines.messages.withLock { $0.count } == 4)
    }
}
