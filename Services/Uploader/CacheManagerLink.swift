// SPDX-License-Identifier: Apache-2.0
import Bus
import Logging
import Messages
import Platform

/// The connection to one cache manager: announces free slots, takes jobs, sends results. The cache manager repairs
/// whatever is lost here by its own deadlines (ARCHITECTURE §3).
final class CacheManagerLink: Sendable {
    private let channel: BusChannel
    private let runner: JobRunner
    private let state: UploaderState
    private let logger: Logger

    init(channel: BusChannel, runner: JobRunner, state: UploaderState, logger: Logger) {
        self.channel = channel
        self.runner = runner
        self.state = state
        self.logger = logger
    }

    /// Until the channel is closed and its jobs have ended.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await event in channel.events {
                switch event {
                case .connected:
                    state.setConnected(true, endpoint: channel.endpoint.description)
                    logger.info("connected to cache manager", metadata: ["endpoint": "\(channel.endpoint)"])
                    await announce()
                case .disconnected:
                    state.setConnected(false, endpoint: channel.endpoint.description)
                    logger.info("connection to cache manager lost", metadata: ["endpoint": "\(channel.endpoint)"])
                case .refused(let fault):
                    state.setConnected(false, endpoint: channel.endpoint.description)
                    logger.error(
                        "refused by cache manager",
                        metadata: ["endpoint": "\(channel.endpoint)", "reason": "\(fault.message)"])
                case .message(let message):
                    guard let job = job(in: message) else { continue }
                    group.addTask { await self.serve(job, payload: message.payload) }
                }
            }
        }
        state.setConnected(false, endpoint: channel.endpoint.description)
    }

    /// Says how many jobs this uploader can take; none while it stops. Lost if there is no connection: `.connected`
    /// makes it be said again.
    func announce() async {
        let capacity = state.isStopping ? UploaderReady(freeWriteSlots: 0, freeReadSlots: 0) : runner.capacity
        try? await channel.send(.uploaderReady, capacity)
    }

    func close() { channel.close() }

    private func job(in message: BusChannel.Message) -> UploadJob? {
        guard message.kind == .uploadJob else {
            logger.warning("unexpected message from cache manager", metadata: ["kind": "\(message.kind)"])
            return nil
        }
        do {
            return try message.decode(UploadJob.self)
        } catch {
            // Without a number there is nobody to answer; the cache manager's deadline ends the job.
            logger.error("job that cannot be read", metadata: ["error": "\(error)"])
            return nil
        }
    }

    private func serve(_ job: UploadJob, payload: [Frame]) async {
        guard state.begin() else {
            return await send(JobAnswer(.unavailable(reason: "this uploader is stopping")), to: job)
        }
        let (answers, sink) = AsyncStream.makeStream(of: JobAnswer.self)
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await self.runner.run(job, payload: payload) { sink.yield($0) }
                sink.finish()
            }
            for await answer in answers {
                state.note(answer.outcome)
                await send(answer, to: job)
            }
        }
        state.end()
        await announce()
    }

    private func send(_ answer: JobAnswer, to job: UploadJob) async {
        let result = UploadResult(id: job.id, outcome: answer.outcome)
        let payload = answer.payloads.map { Frame($0) }
        // As long as the cache manager would wait, and it takes nothing: then it has other worries than this result.
        for _ in 0..<200 {
            do {
                return try await channel.send(.uploadResult, result, payload: payload)
            } catch {
                guard error.code == .busy else { return }
                try? await Task.sleep(for: .milliseconds(10))
            }
        }
        logger.warning("cache manager takes no results", metadata: ["endpoint": "\(channel.endpoint)"])
    }
}
