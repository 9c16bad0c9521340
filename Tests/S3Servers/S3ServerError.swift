// SPDX-License-Identifier: Apache-2.0

/// Why a server cannot be used by a test.
package enum S3ServerError: Error, CustomStringConvertible {
    case notInstalled(S3ServerKind)
    case noFreePorts
    /// It ended, or did not answer in time; `log` is the end of what it printed.
    case notReady(S3ServerKind, reason: String, log: String)
    case refused(S3ServerKind, call: String, answer: String)
    case system(String)

    package var description: String {
        switch self {
        case .notInstalled(let kind):
            "\(kind) is not installed; run make \(S3ServerKind.basic.contains(kind) ? "setup-test" : "s3-more")"
        case .noFreePorts: "no free ports on loopback"
        case .notReady(let kind, let reason, let log): "\(kind) is not ready: \(reason)\n\(log)"
        case .refused(let kind, let call, let answer): "\(kind) refused \(call): \(answer)"
        case .system(let text): text
        }
    }
}
