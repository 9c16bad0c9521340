// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// An outage that a test or a person asked for.
final class ManualOutage: Sendable {
    private let flag = Atomic(false)
    var isOn: Bool { flag.load(ordering: .acquiring) }
    func set(_ isOn: Bool) { flag.store(isOn, ordering: .releasing) }
}

/// Opens and closes the listener as the plan's windows come and go.
struct OutageKeeper: Sendable {
    let script: FaultScript
    let listener: ProxyListener
    let manual: ManualOutage

    func follow() async throws(FaultProxyError) {
        let change = try await listener.setListening { !(script.isOutage || manual.isOn) }
        if change == .closed { script.countInjected(.outage) }
    }

    /// Looks at the clock often enough that a window begins within a few milliseconds of its time.
    func run() async {
        while !Task.isCancelled {
            // The port stays reserved, so that listening fails only for want of descriptors: tried again soon.
            try? await follow()
            try? await Task.sleep(for: .milliseconds(10))
        }
    }
}
