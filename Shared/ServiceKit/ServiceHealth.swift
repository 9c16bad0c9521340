// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// What a service says when it is asked how it is. Any thread may set it; the bus thread reads it.
package final class ServiceHealth: Sendable {
    package struct State: Equatable, Sendable {
        package var isReady: Bool
        /// One line for people: what it does now, or why it is not ready and what to do.
        package var detail: String
        package init(isReady: Bool, detail: String) {
            self.isReady = isReady
            self.detail = detail
        }
    }

    private let state = Mutex(State(isReady: false, detail: "starting"))
    package init() {}

    package var current: State { state.withLock { $0 } }
    package func set(ready: Bool, _ detail: String) { state.withLock { $0 = State(isReady: ready, detail: detail) } }
}
