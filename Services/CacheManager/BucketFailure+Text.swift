// SPDX-License-Identifier: Apache-2.0
package import Engine

/// For status lines and logs: the engine puts its failures into reasons, and people read these.
extension BucketFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .preconditionFailed: "somebody else has changed the object"
        case .conflict: "somebody else is changing the object"
        case .notFound: "the object is not there"
        case .ambiguous(let reason): reason
        case .unavailable(let reason): reason
        case .corrupt(let reason): "damaged: \(reason)"
        case .refused(let reason): "refused: \(reason)"
        }
    }
}
