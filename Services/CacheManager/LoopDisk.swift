// SPDX-License-Identifier: Apache-2.0
import Platform

/// The shard's way to the disk threads. What does not fit into the port's limit waits here, in order; the engine
/// bounds it, because it asks for nothing new before it has its answers. Confined to the loop's thread.
final class LoopDisk: DiskWork {
    private let port: DiskPort
    private var waiting: [() -> Bool] = []

    init(port: DiskPort) { self.port = port }

    func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value, then completion: @escaping (Value) -> Void) {
        let start: () -> Bool = { [port] in
            port.submit(work) { value in
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
