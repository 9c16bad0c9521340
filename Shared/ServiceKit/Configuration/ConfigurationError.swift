// SPDX-License-Identifier: Apache-2.0

/// Everything that is wrong with the configuration, all of it at once: people mend a file in one go.
package struct ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
    package struct Problem: Equatable, Sendable, CustomStringConvertible {
        /// `/etc/sluice/gateway.yaml:12`, `environment variable SLUICE_JOURNAL_SIZE`, `--set`; empty if it has none.
        package var place: String
        package var key: String
        package var reason: String
        package init(place: String, key: String, reason: String) {
            self.place = place
            self.key = key
            self.reason = reason
        }
        package var description: String {
            [place, key, reason].filter { !$0.isEmpty }.joined(separator: ": ")
        }
    }

    package var problems: [Problem]
    package init(_ problems: [Problem]) { self.problems = problems }
    package init(place: String, key: String = "", reason: String) {
        problems = [Problem(place: place, key: key, reason: reason)]
    }
    package var description: String { problems.map(\.description).joined(separator: "\n") }
}
