// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// The slots for one kind of job. Reads and writes have their own, so that reads never queue behind uploads
/// (ARCHITECTURE §4). Several cache managers may each fill what was announced to all, so some jobs wait here, in the
/// order they came.
package final class JobLane: Sendable {
    private struct State {
        var running = 0
        var waiting: [CheckedContinuation<Bool, Never>] = []
    }

    package let slotCount: Int
    private let waitingLimit: Int
    private let state = Mutex(State())

    package init(slotCount: Int) {
        precondition(slotCount > 0)
        self.slotCount = slotCount
        waitingLimit = slotCount * 4
    }

    /// What may be announced: no more than the slots that are neither taken nor waited for.
    package var freeCount: Int { state.withLock { max(0, slotCount - $0.running - $0.waiting.count) } }

    package var waitingCount: Int { state.withLock { $0.waiting.count } }

    /// Waits for a slot, which `leave` gives back.
    /// - Returns: false if so many wait already that this one must go elsewhere.
    package func enter() async -> Bool {
        await withCheckedContinuation { continuation in
            let isEntered: Bool? = state.withLock { state in
                if state.running < slotCount {
                    state.running += 1
                    return true
                }
                guard state.waiting.count < waitingLimit else { return false }
                state.waiting.append(continuation)
                return nil
            }
            if let isEntered { continuation.resume(returning: isEntered) }
        }
    }

    package func leave() {
        let next: CheckedContinuation<Bool, Never>? = state.withLock { state in
            precondition(state.running > 0, "a slot is left once")
            if state.waiting.isEmpty {
                state.running -= 1
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume(returning: true)
    }
}
