// SPDX-License-Identifier: Apache-2.0
import Engine
import Messages
import ServiceKit
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
            if fetchRun?.take(frame, urgency) == true { return }
            submitFetchRun()
            fetchRun = FetchRun(frame, urgency)
        case .fetchNode(let node, let urgency):
            let work = UploadJob.Work.getRange(
                key: node.key, byteOffset: UInt64(node.byteOffset), byteCount: node.byteCount)
            submit(work, for: [node.cacheKey], urgency)
        case .hasten(let frame):
            submitFetchRun()
            if let job = frameJobs[frame] { dispatcher.hasten(job, at: now.nanoseconds) }
        case .report(let report): outlet?.report(report, of: cache)
        case .open, .write, .read, .discard: performDisk(effect)
        }
    }

    func submitFetchRun() {
        guard let run = fetchRun else { return }
        fetchRun = nil
        submit(run.work, for: run.frames, run.urgency)
    }

    private func submit(_ work: UploadJob.Work, for frames: [FrameReference], _ urgency: FetchUrgency) {
        let job = dispatcher.submit(
            work, payload: nil, timeoutMilliseconds: Self.timeoutMilliseconds(of: work), owner: .cache(frames),
            isBackground: urgency == .background, at: now.nanoseconds)
        for frame in frames { frameJobs[frame] = job }
    }

    /// What a job of the cache came to. If one of several frames is damaged, each is asked for on its own: the others
    /// are not to suffer for it.
    func fetched(
        _ frames: [FrameReference], _ outcome: UploadResult.Outcome, _ payloads: [[UInt8]], isBackground: Bool
    ) {
        for frame in frames { frameJobs[frame] = nil }
        var failure = outcome.failure
        if failure == nil, payloads.count != frames.count {
            failure = .corrupt("\(payloads.count) payloads for \(frames.count.counted("frame"))")
        }
        switch failure {
        case nil:
            for (frame, payload) in zip(frames, payloads) { handle(.fetched(frame, .success(payload))) }
        case .corrupt where frames.count > 1:
            let urgency: FetchUrgency = isBackground ? .background : .demand
            for frame in frames { submit(FetchRun(frame, urgency).work, for: [frame], urgency) }
        case .some(let failure):
            for frame in frames { handle(.fetched(frame, .failure(failure))) }
        }
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

    /// Only for a stop: what is in memory only is written, as far as the disk threads still run.
    package func finishCache() {
        cache.cache.finish()
        settle()
    }
}
