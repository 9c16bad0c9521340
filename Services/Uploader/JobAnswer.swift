// SPDX-License-Identifier: Apache-2.0
import Engine
package import Messages
package import ObjectStorage

/// How a job ended, and what goes back with it as payload.
package struct JobAnswer: Equatable, Sendable {
    package var outcome: UploadResult.Outcome
    /// As many as the job's kind has.
    package var payloads: [[UInt8]]

    package init(_ outcome: UploadResult.Outcome, payloads: [[UInt8]] = []) {
        self.outcome = outcome
        self.payloads = payloads
    }

    package init(_ outcome: UploadResult.Outcome, payload: [UInt8]) {
        self.init(outcome, payloads: payload.isEmpty ? [] : [payload])
    }

    /// Of a job whose kind has one; empty if there is none.
    package var payload: [UInt8] { payloads.first ?? [] }
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
