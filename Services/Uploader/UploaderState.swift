// SPDX-License-Identifier: Apache-2.0
package import Messages
import ServiceKit
import Synchronization

/// What the uploader's tasks know of each other: is it stopping, how many jobs run, how the bucket answers. Any thread.
package final class UploaderState: Sendable {
    private struct Values {
        var isStopping = false
        var jobCount = 0
        var idleWaiters: [CheckedContinuation<Void, Never>] = []
        var connected: Set<String> = []
        var bucketProblem: (reason: String, time: ContinuousClock.Instant)?
        var outcomes: [String: UInt64] = [:]
    }

    /// Nobody asks a bucket that nobody needs: an old failure says nothing of how it is now.
    package static let problemTime = Duration.seconds(30)

    private let values = Mutex(Values())
    package init() {}

    package var isStopping: Bool { values.withLock { $0.isStopping } }
    package func stop() { values.withLock { $0.isStopping = true } }

    /// - Returns: false once the uploader stops; otherwise `end` follows.
    package func begin() -> Bool {
        values.withLock { values in
            if values.isStopping { return false }
            values.jobCount += 1
            return true
        }
    }

    package func end() {
        let waiters = values.withLock { values in
            values.jobCount -= 1
            precondition(values.jobCount >= 0)
            guard values.jobCount == 0 else { return [CheckedContinuation<Void, Never>]() }
            defer { values.idleWaiters = [] }
            return values.idleWaiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Returns when no job runs.
    package func idle() async {
        await withCheckedContinuation { continuation in
            let isIdle = values.withLock { values in
                if values.jobCount > 0 { values.idleWaiters.append(continuation) }
                return values.jobCount == 0
            }
            if isIdle { continuation.resume() }
        }
    }

    package func setConnected(_ isConnected: Bool, endpoint: String) {
        values.withLock { values in
            if isConnected { values.connected.insert(endpoint) } else { values.connected.remove(endpoint) }
        }
    }

    /// Whatever the bucket decides shows that it answers.
    package func note(_ outcome: UploadResult.Outcome, at now: ContinuousClock.Instant = .now) {
        values.withLock { values in
            values.outcomes[outcome.label, default: 0] += 1
            switch outcome {
            case .success, .preconditionFailed, .conflict, .notFound: values.bucketProblem = nil
            case .ambiguous(let reason), .unavailable(let reason), .refused(let reason):
                values.bucketProblem = (reason, now)
            case .corrupt: break
            }
        }
    }

    /// For health: can it work, and what does it do?
    package func report(at now: ContinuousClock.Instant = .now) -> (isReady: Bool, detail: String) {
        let values = values.withLock { $0 }
        if values.isStopping { return (false, "stopping after \(values.jobCount.counted("job"))") }
        if let problem = values.bucketProblem, now < problem.time + Self.problemTime {
            return (false, "the last job failed: \(problem.reason)")
        }
        return (
            true, "\(values.jobCount.counted("job")) running for \(values.connected.count.counted("cache manager"))"
        )
    }

    package var metricFamilies: [MetricFamily] {
        let values = values.withLock { $0 }
        return [
            MetricFamily(.uploaderJobsRunning, values.jobCount),
            MetricFamily(
                .uploaderJobs,
                values.outcomes.sorted { $0.key < $1.key }.map { label, count in
                    .init(labels: ["outcome": label], value: Double(count))
                }),
        ]
    }
}

extension UploadResult.Outcome {
    fileprivate var label: String {
        switch self {
        case .success: "success"
        case .preconditionFailed: "preconditionFailed"
        case .conflict: "conflict"
        case .notFound: "notFound"
        case .ambiguous: "ambiguous"
        case .unavailable: "unavailable"
        case .corrupt: "corrupt"
        case .refused: "refused"
        }
    }
}
