// SPDX-License-Identifier: Apache-2.0
import Engine
import Messages
import Wire

/// Carries out what the read cache wants done.
extension Shard {
    func perform(_ effect: CacheEffect) {
        switch effect {
        case .answer(let waiter, let result, let source):
            guard let hosted = volumes[waiter.volume] else { return }
            handle(.frame(waiter.token, result, from: source), of: hosted)
        case .warmed(let waiter, let result):
            guard let hosted = volumes[waiter.volume] else { return }
            handle(.frameWarmed(waiter.token, result), of: hosted)
        case .answerNode(let waiter, let result, let source):
            guard let hosted = volumes[waiter.volume] else { return }
            handle(.node(waiter.token, result, from: source), of: hosted)
        case .fetch(let frame, let urgency):
            let work = UploadJob.Work.getFrame(
                key: frame.key, byteOffset: UInt64(frame.byteOffset), byteCount: frame.byteCount)
            submit(work, for: frame, urgency)
        case .fetchNode(let node, let urgency):
            let work = UploadJob.Work.getRange(
                key: node.key, byteOffset: UInt64(node.byteOffset), byteCount: node.byteCount)
            submit(work, for: node.cacheKey, urgency)
        case .hasten(let frame):
            if let job = frameJobs[frame] { dispatcher.hasten(job, at: now.nanoseconds) }
        case .report(let report): outlet?.report(report, of: cache)
        case .open, .write, .read, .discard: performDisk(effect)
        }
    }

    private func submit(_ work: UploadJob.Work, for frame: FrameReference, _ urgency: FetchUrgency) {
        frameJobs[frame] = dispatcher.submit(
            work, payload: nil, timeoutMilliseconds: Self.timeoutMilliseconds(of: work), owner: .cache(frame),
            isBackground: urgency == .background, at: now.nanoseconds)
    }

    private func performDisk(_ effect: CacheEffect) {
        switch effect {
        case .open(let directory):
            cache.files.scan(directory) { scans in
                for (file, scan) in scans { self.handle(.found(file, scan)) }
                self.settle()
            } then: { result in
                self.handle(.opened(directory, result))
                self.settle()
            }
        case .write(let token, let file, let byteOffset, let buffer, let byteCount):
            cache.files.write(buffer, byteCount: byteCount, to: file, at: byteOffset) { result in
                self.handle(.written(token, result))
                self.settle()
            }
        case .read(let token, let file, let byteOffset, let byteCount):
            cache.files.read(file, byteOffset: byteOffset, byteCount: byteCount) { result in
                self.handle(.read(token, result))
                self.settle()
            }
        case .discard(let file): cache.files.discard(file)
        default: preconditionFailure("not an effect on the disk")
        }
    }

    func handle(_ event: CacheEvent) { cache.cache.handle(event, at: now.nanoseconds) }

    /// - Returns: what the cache is to be told; the payload of a frame as the uploader sent it.
    static func payload(of outcome: UploadResult.Outcome, _ payload: [UInt8]) -> Result<[UInt8], BucketFailure> {
        if let failure = outcome.failure { return .failure(failure) }
        return .success(payload)
    }

    /// Only for a stop: what is in memory only is written, as far as the disk threads still run.
    package func finishCache() {
        cache.cache.finish()
        settle()
    }
}
