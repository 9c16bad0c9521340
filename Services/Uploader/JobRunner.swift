// SPDX-License-Identifier: Apache-2.0
package import Bus
package import Messages
import Synchronization

/// Gives each job a slot, and each job an answer in time: a store that hangs must not keep the cache manager from
/// knowing that its write is uncertain. The slot stays taken until the work has really ended, so that what hangs
/// cannot pile up.
package struct JobRunner: Sendable {
    private let executor: JobExecutor
    private let lanes: [UploadJob.Lane: JobLane]

    package init(executor: JobExecutor, writeSlots: Int, readSlots: Int) {
        self.executor = executor
        lanes = [.write: JobLane(slotCount: writeSlots), .read: JobLane(slotCount: readSlots)]
    }

    /// What to announce.
    package var capacity: UploaderReady {
        UploaderReady(
            freeWriteSlots: UInt16(clamping: lane(.write).freeCount),
            freeReadSlots: UInt16(clamping: lane(.read).freeCount))
    }

    /// Calls `answer` once, at the job's timeout at the latest; returns when its work has ended.
    package func run(
        _ job: UploadJob, payload: [Frame], clock: some Clock<Duration> = ContinuousClock(),
        answer: @escaping @Sendable (JobAnswer) -> Void
    ) async {
        let progress = Progress()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                guard let result = await perform(job, payload: payload, progress: progress) else { return }
                if progress.claimAnswer() != nil { answer(result) }
            }
            group.addTask {
                let timeout = Duration.milliseconds(Int64(job.timeoutMilliseconds))
                do { try await clock.sleep(for: timeout) } catch { return }
                guard let hasStarted = progress.claimAnswer() else { return }
                answer(
                    JobAnswer(
                        job.work.timeoutOutcome(milliseconds: job.timeoutMilliseconds, hasStarted: hasStarted)))
            }
            await group.next()
            // Whichever is left: the timer, or work whose answer nobody waits for (it stops trying again).
            group.cancelAll()
        }
    }

    /// - Returns: nil if the job was given up before it could start.
    private func perform(_ job: UploadJob, payload: [Frame], progress: Progress) async -> JobAnswer? {
        let lane = lane(job.work.lane)
        guard await lane.enter() else {
            return JobAnswer(.unavailable(reason: "all slots of this uploader are taken"))
        }
        defer { lane.leave() }
        // A write that was reported as not started must not happen later.
        guard progress.start() else { return nil }
        return await executor.execute(job.work, payload: payload)
    }

    private func lane(_ kind: UploadJob.Lane) -> JobLane {
        guard let lane = lanes[kind] else { preconditionFailure("every kind has a lane from the start") }
        return lane
    }

    /// Who answers a job, the work or the timer, and whether the work has begun.
    private final class Progress: Sendable {
        private struct State {
            var hasStarted = false
            var isAnswered = false
        }
        private let state = Mutex(State())

        /// - Returns: false if the job was answered before.
        func start() -> Bool {
            state.withLock { state in
                if state.isAnswered { return false }
                state.hasStarted = true
                return true
            }
        }

        /// - Returns: whether the work has begun; nil if the other one was faster.
        func claimAnswer() -> Bool? {
            state.withLock { state in
                if state.isAnswered { return nil }
                state.isAnswered = true
                return state.hasStarted
            }
        }
    }
}
