// SPDX-License-Identifier: Apache-2.0
package import Engine
package import Messages
import Wire

extension EngineEvent {
    /// What an upload job's outcome means to the engine that asked for it; nil for work that volumes
    /// never ask uploaders for: their frames come through the read cache.
    /// An answer of the wrong form is the uploader's fault and counts as damaged, so that the engine asks again.
    package init?(
        _ token: EffectToken, _ work: UploadJob.Work, _ outcome: UploadResult.Outcome, payload: [UInt8]
    ) {
        switch work {
        case .putPack(_, let plan):
            self = .packStored(token, Self.storedPack(outcome, payload: payload, plan: plan))
        case .putObject: self = .objectStored(token, Self.tag(outcome))
        case .getObject:
            self = .object(token, Self.tag(outcome).map { StoredObject(bytes: payload, tag: $0) })
        case .getRange(_, _, let byteCount):
            let result: Result<[UInt8], BucketFailure>
            if let failure = outcome.failure {
                result = .failure(failure)
            } else if payload.count != Int(byteCount) {
                result = .failure(.corrupt("\(payload.count) bytes instead of \(byteCount)"))
            } else {
                result = .success(payload)
            }
            self = .range(token, result)
        case .getFrames, .listFolders, .probe: return nil
        }
    }

    private static func tag(_ outcome: UploadResult.Outcome) -> Result<EntityTag, BucketFailure> {
        if let failure = outcome.failure { return .failure(failure) }
        guard case .success(let tag?, _) = outcome else { return .failure(.corrupt("an answer without entity tag")) }
        return .success(tag)
    }

    /// The directory lies at the pack's end, before the footer; its length and the pack's tell where.
    private static func storedPack(
        _ outcome: UploadResult.Outcome, payload: [UInt8], plan: [UInt8]
    ) -> Result<StoredPack, BucketFailure> {
        if let failure = outcome.failure { return .failure(failure) }
        guard case .success(_, let storedByteCount) = outcome else { return .failure(.corrupt("no size")) }
        let tail = UInt64(payload.count) + UInt64(PackFooter.byteCount)
        guard storedByteCount >= tail else { return .failure(.corrupt("a pack smaller than its directory")) }
        do throws(EngineError) {
            let plan = try PackPlan(decoding: plan)
            let directory = try PackFormat.decodeDirectory(payload, expecting: plan.volume, plan.name)
            let reference = PackReference(
                owner: plan.volume, name: plan.name, byteCount: storedByteCount,
                directoryOffset: storedByteCount - tail, directoryByteCount: UInt32(payload.count))
            return .success(StoredPack(reference: reference, directory: directory))
        } catch {
            return .failure(.corrupt("pack directory: \(error)"))
        }
    }
}
