// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Values from any thread to one loop, in order, with one wake-up per batch. Bounded: a full mailbox refuses.
package final class Mailbox<Element: Sendable>: Sendable {
    private struct State {
        var waiting: [Element] = []
        var isClosed = false
    }
    private let state = Mutex(State())
    private let isEmpty = Atomic<Bool>(true)
    private let capacity: Int
    private let loop: EventLoop

    /// On the loop's thread, or before it runs. `handler` is called on the loop for each value.
    package init(loop: EventLoop, capacity: Int, handler: @escaping (Element) -> Void) {
        precondition(capacity > 0)
        self.capacity = capacity
        self.loop = loop
        // The loop owns the mailbox's drain; the mailbox must not keep itself alive through the loop.
        loop.addInbox { [weak self] in
            guard let self, !self.isEmpty.load(ordering: .acquiring) else { return }
            for element in self.takeAll() { handler(element) }
        }
    }

    /// - Returns: false if the mailbox is full or closed; the value was not taken.
    package func post(_ element: Element) -> Bool {
        let (isTaken, isFirst) = state.withLock { state in
            guard !state.isClosed, state.waiting.count < capacity else { return (false, false) }
            state.waiting.append(element)
            isEmpty.store(false, ordering: .releasing)
            return (true, state.waiting.count == 1)
        }
        if isFirst { loop.wake() }
        return isTaken
    }

    /// Nothing is accepted any more. Returns what was not handled yet.
    package func close() -> [Element] {
        state.withLock { state in
            state.isClosed = true
            let rest = state.waiting
            state.waiting = []
            return rest
        }
    }

    private func takeAll() -> [Element] {
        state.withLock { state in
            let batch = state.waiting
            state.waiting = []
            isEmpty.store(true, ordering: .releasing)
            return batch
        }
    }
}
