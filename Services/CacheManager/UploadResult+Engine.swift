// SPDX-License-Identifier: Apache-2.0
package import Engine
package import Messages

extension UploadResult.Outcome {
    /// The engine's word for a job that failed; nil for success.
    package var failure: BucketFailure? {
        switch self {
        case .success: nil
        case .preconditionFailed: .preconditionFailed
        case .conflict: .conflict
        case .notFound: .notFound
        case .ambiguous(let reason): .ambiguous(reason)
        case .unavailable(let reason): .unavailable(reason)
        case .corrupt(let reason): .corrupt(reason)
        case .refused(let reason): .refused(reason)
        }
    }
}
