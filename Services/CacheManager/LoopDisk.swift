// SPDX-License-Identifier: Apache-2.0
import Platform

/// The shard's way to the disk threads. What does not fit into the port's limit waits here, in order; the engine
/// bounds it, because it asks for nothing new before it has its answers. Confined to the loop's thread.
final class LoopDisk: DiskWork {
    private let port: DiskPort
    private var waiting: [() -> Bool] = []
    /// Jobs that were asked for and are not completed, and since when there are any.
    private var openCount = 0
    private var openSince: UInt64 = 0
    private var endedNanoseconds: UInt64 = 0

    /// How long somebody waited for these disks, whether for one answer or for many.
    var waitedNanoseconds: UInt64 {
        endedNanoseconds + (openCount > 0 ? MonotonicClock.now().nanoseconds - openSince : 0)
    }

    init(port: DiskPort) { self.port = port }

    func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value, then completion: @escaping (Value) -> Void) {
        if openCount == 0 { openSince = MonotonicClock.now().nanoseconds }
        openCount += 1
        let start: () -> Bool = { [port] in
            port.submit(work) { value in
                self.openCount -= 1
                if self.openCount == 0 {
                    self.endedNanoseconds += MonotonicClock.now().nanoseconds - self.openSince
                }
                completion(value)
                self.startWaiting()
            }
        }
        if !waiting.isEmpty || !start() { waiting.append(start) }
    }

    private func startWaiting() {
        guard !waiting.isEmpty else { return }
        var started = 0
        while started < waiting.count, waiting[started]() { started += 1 }
        waiting.removeFirst(started)
    }
}
