// SPDX-License-Identifier: Apache-2.0
import Engine
package import Messages
package import Platform
package import Wire

/// What a bucket job of the control plane came to.
package struct BucketAnswer: Sendable {
    package var outcome: UploadResult.Outcome
    package var payload: [UInt8]
    package init(outcome: UploadResult.Outcome, payload: [UInt8]) {
        self.outcome = outcome
        self.payload = payload
    }
}

/// Jobs on their way to uploaders and results on their way back.
extension Shard {
    /// How long an uploader may try. Long enough for a slow store, short enough that a stuck one is noticed; the
    /// engine decides what follows from `unavailable` and `ambiguous`.
    /// - Parameter lease: how long HEAD's owner has the volume, in milliseconds; nil unless `work` is about the HEAD of
    ///   such a volume. Of what one answer that does not come takes from it, enough must be left to ask again.
    static func timeoutMilliseconds(of work: UploadJob.Work, lease: UInt64? = nil) -> UInt32 {
        switch work {
        case .putPack: 100_000
        case .putObject, .getObject: lease.map { UInt32(min(max($0 / 8, 1000), 15_000)) } ?? 15_000
        case .getRange(_, _, let byteCount): 20_000 + transferMilliseconds(Int(byteCount))
        case .getFrames(_, _, let byteCounts): 20_000 + transferMilliseconds(byteCounts.reduce(0) { $0 + Int($1) })
        case .listFolders, .probe: 60_000
        }
    }

    private static func transferMilliseconds(_ byteCount: Int) -> UInt32 {
        UInt32(SlowestLink.milliseconds(byteCount: byteCount))
    }

    func submit(_ work: UploadJob.Work, payload: IOBuffer?, _ token: EffectToken, _ hosted: HostedVolume) {
        let lease = work.isOfHead ? hosted.engine?.head.leaseMilliseconds : nil
        dispatcher.submit(
            work, payload: payload, timeoutMilliseconds: Self.timeoutMilliseconds(of: work, lease: lease),
            owner: .volume(hosted.id, token), at: now.nanoseconds)
    }

    /// A job of the control plane. Returns its number for `cancelBucketCall`.
    /// - Parameter lease: as of `timeoutMilliseconds`.
    @discardableResult
    package func callBucket(
        _ work: UploadJob.Work, payload: IOBuffer? = nil, lease: UInt64? = nil,
        then answer: @escaping (BucketAnswer) -> Void
    ) -> UInt64 {
        let number = drawNumber()
        bucketCalls[number] = answer
        let job = dispatcher.submit(
            work, payload: payload, timeoutMilliseconds: Self.timeoutMilliseconds(of: work, lease: lease),
            owner: .control(number), at: now.nanoseconds)
        return job
    }

    package func cancelBucketCall(_ job: UInt64) {
        guard case .control(let number) = dispatcher.owner(of: job) else { return }
        bucketCalls[number] = nil
        dispatcher.forget(job)
    }

    // MARK: From uploaders

    package func uploaderReady(_ announcement: UploaderReady, from uploader: ServiceInstance) {
        dispatcher.ready(announcement, from: uploader, at: now.nanoseconds)
    }

    package func uploaderLost(_ uploader: ServiceInstance) { dispatcher.lost(uploader, at: now.nanoseconds) }

    /// - Returns: false if nobody waits for it any more.
    @discardableResult
    package func uploadResult(_ result: UploadResult, payloads: [[UInt8]], from uploader: ServiceInstance) -> Bool {
        guard let job = dispatcher.result(id: result.id, from: uploader, at: now.nanoseconds) else { return false }
        deliver(result.outcome, payloads: payloads, of: job)
        return true
    }

    func deliver(_ outcome: UploadResult.Outcome, payloads: [[UInt8]], of job: UploadDispatcher.Job) {
        let payload = payloads.first ?? []
        switch job.owner {
        case .control(let number):
            bucketCalls.removeValue(forKey: number)?(BucketAnswer(outcome: outcome, payload: payload))
        case .cache(let frames): fetched(frames, outcome, payloads, isBackground: job.isBackground)
        case .volume(let id, let token):
            guard let hosted = volumes[id] else { return }
            let outcome = passFailpoints(of: job, outcome)
            if let event = EngineEvent(token, job.work, outcome, payload: payload) { handle(event, of: hosted) }
            _ = try? ShardFailpoints.afterHeadResult.hit(onlyIf: job.work.isHead)
        }
    }

    /// A failpoint set to fail loses the answer: what a broken connection does.
    private func passFailpoints(
        of job: UploadDispatcher.Job, _ outcome: UploadResult.Outcome
    ) -> UploadResult.Outcome {
        do throws(SystemError) {
            try ShardFailpoints.beforeHeadResult.hit(onlyIf: job.work.isHead)
            try ShardFailpoints.beforePackResult.hit(onlyIf: job.work.isPack)
            return outcome
        } catch {
            return job.work.isPack ? .unavailable(reason: "\(error)") : .ambiguous(reason: "\(error)")
        }
    }
}

extension Failpoint {
    fileprivate func hit(onlyIf condition: Bool) throws(SystemError) { if condition { try hit() } }
}

extension UploadJob.Work {
    fileprivate var isHead: Bool {
        guard case .putObject = self else { return false }
        return isOfHead
    }
    /// Written or read.
    fileprivate var isOfHead: Bool {
        switch self {
        case .putObject(let key, _), .getObject(let key): key.name.hasSuffix("/HEAD")
        default: false
        }
    }
    fileprivate var isPack: Bool {
        guard case .putPack = self else { return false }
        return true
    }
}
