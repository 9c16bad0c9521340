// SPDX-License-Identifier: Apache-2.0
import Engine
import Wire

/// One request to the bucket on its way. It outlives the engine that sent it: uploaders are other processes.
struct StoreRequest {
    enum Work {
        case putPack(ObjectKey, BuiltPack)
        case putHead(ObjectKey, [UInt8], WritePrecondition, Head)
        case putObject(ObjectKey, [UInt8], WritePrecondition)
        case getObject(ObjectKey)
        case getRange(ObjectKey, byteOffset: UInt64, byteCount: Int)
        case getFrame(FrameReference)
        case getNode(NodePointer)

        var isWrite: Bool {
            switch self {
            case .putPack, .putHead, .putObject: true
            case .getObject, .getRange, .getFrame, .getNode: false
            }
        }
    }

    /// What the store said when it carried the request out.
    enum Outcome {
        case stored(Result<EntityTag, BucketFailure>)
        case object(Result<StoredObject, BucketFailure>)
        case bytes(Result<[UInt8], BucketFailure>)
    }

    var gateway: Int
    var life: Int
    var token: EffectToken
    var work: Work
    var plan: StorePlan
    var isAnswered = false
    var isApplied = false
    var outcome: Outcome?
}

/// A HEAD that was current once, with what the volume held then.
struct RetainedHead {
    var head: Head
    var gateway: Int
    var position: Int
}
