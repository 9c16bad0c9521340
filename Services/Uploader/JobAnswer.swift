// SPDX-License-Identifier: Apache-2.0
import Engine
package import Messages
package import ObjectStorage

/// How a job ended, and what goes back with it as payload.
package struct JobAnswer: Equatable, Sendable {
    package var outcome: UploadResult.Outcome
    /// Empty where the job's kind has none.
    package var payload: [UInt8]
    package init(_ outcome: UploadResult.Outcome, payload: [UInt8] = []) {
        self.outcome = outcome
        self.payload = payload
    }
}

extension UploadResult.Outcome {
    /// The cache manager's words for what the store said.
    package init(_ error: ObjectStoreError) {
        switch error {
        case .preconditionFailed: self = .preconditionFailed
        case .conflict: self = .conflict
        case .notFound: self = .notFound
        case .ambiguous: self = .ambiguous(reason: error.description)
        case .unavailable: self = .unavailable(reason: error.description)
        case .corrupt: self = .corrupt(reason: error.description)
        case .refused, .invalidKey: self = .refused(reason: error.description)
        }
    }
}
