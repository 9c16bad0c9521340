// SPDX-License-Identifier: Apache-2.0
import Logging
import ServiceKit
import ServiceLifecycle
import Synchronization

/// Keeps the access rules up to date with their file and the files of secrets, which people change while the gateway
/// runs. What cannot be used leaves the rules as they are, and is complained about once.
final class AccessFile: Service {
    private static let interval = Duration.seconds(2)

    private let path: String
    private let logger: Logger
    private let rules: Mutex<AccessRules>

    /// - Throws: if the file cannot be used now.
    init(_ path: String, logger: Logger) throws(ConfigurationError) {
        self.path = path
        self.logger = logger
        rules = Mutex(try AccessFileParser.rules(of: path))
    }

    var current: AccessRules { rules.withLock { $0 } }

    func run() async throws {
        var lastProblem: ConfigurationError?
        while !Task.isCancelled, !Task.isShuttingDownGracefully {
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: Self.interval) }
            do throws(ConfigurationError) {
                take(try AccessFileParser.rules(of: path))
                lastProblem = nil
            } catch {
                guard error != lastProblem else { continue }
                lastProblem = error
                logger.error(
                    "The access file cannot be used; the rules stay as they were", metadata: ["reason": "\(error)"])
            }
        }
    }

    private func take(_ fresh: AccessRules) {
        let isNew = rules.withLock { rules in
            defer { rules = fresh }
            return rules != fresh
        }
        if isNew { logger.notice("Access rules changed", metadata: ["file": "\(path)"]) }
    }
}
