// SPDX-License-Identifier: Apache-2.0
package import Wire

/// Taking back what waits: for sessions that end, frontends that are gone, and tasks that are aborted.
extension Volume {
    /// Answers with `Effect.barrierPassed` when no older command of this nexus can be applied any more. What waits of
    /// it is dropped unanswered: its frontend has dropped it already.
    package func barrier(frontend: ServiceInstance, nexus: UInt64, caller: CallerToken, at time: EngineTime) {
        drop(at: time) { $0.origin.frontend == frontend && $0.nexus == nexus }
        awaitPublished(caller)
        pump(time)
    }

    /// Drops what waits of these requests and answers it `.aborted`; then answers with `Effect.barrierPassed` when none
    /// of them can be applied any more. What is in the journal already is applied and answered as ever, and reads
    /// under way are answered too: whoever aborts them takes no notice. An aborted request that comes again is answered
    /// `.aborted` again, until this run of the volume ends.
    package func abort(
        caller: CallerToken, at time: EngineTime, where isAborted: (VolumeRequest) -> Bool
    ) {
        updateLease(at: time)
        drop(at: time, answering: .aborted, where: isAborted)
        awaitPublished(caller)
        pump(time)
    }

    /// The frontend is gone for good: nothing of it is applied from now on, what it sent before is forgotten.
    package func revoke(_ frontend: ServiceInstance, at time: EngineTime) {
        drop(at: time) { $0.origin.frontend == frontend }
        journal.forget(frontend)
        refusals[frontend] = nil
        pump(time)
    }

    private func awaitPublished(_ caller: CallerToken) {
        if journal.hasUnpublished, isAlive {
            barriers.append((journal.lastOrdinal, caller))
        } else {
            effects.append(.barrierPassed(caller))
        }
    }

    /// - Parameter answer: nil: nobody waits for one.
    private func drop(
        at time: EngineTime, answering answer: VolumeReply? = nil, where isDoomed: (VolumeRequest) -> Bool
    ) {
        func end(_ request: VolumeRequest) {
            if let answer, request.command.changesVolume {
                finish(request.origin, answer)
            } else {
                inProgress.remove(request.origin)
                if let answer { reply(request.origin, answer) }
            }
        }
        func sweep(_ request: VolumeRequest) -> Bool {
            guard isDoomed(request) else { return false }
            end(request)
            return true
        }
        waitingForOpen.removeAll { waiting in
            // What an earlier run has applied is never said to be aborted: it is answered once the volume is open.
            if answer != nil, waiting.request.command.changesVolume,
                journal.table.verdict(on: waiting.request.origin) != .new
            {
                return false
            }
            return sweep(waiting.request)
        }
        held.removeAll { sweep($0.request) }
        blocked.removeAll { sweep($0.request) }
        for origin in modifications.keys.sorted(by: { ($0.frontend, $0.number) < ($1.frontend, $1.number) }) {
            guard let modification = modifications[origin], !modification.isWriting, sweep(modification.request) else {
                continue
            }
            modifications[origin] = nil
        }
        // What waited for a command that is gone has nobody else to wait for.
        releaseBlocked(at: time)
    }
}
