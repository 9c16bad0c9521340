// SPDX-License-Identifier: Apache-2.0
import Engine

/// Divides the cache's disk threads evenly among its directories: one whose disk hangs takes no more than its share,
/// and the others go on with theirs. Confined to the shard's thread.
package final class SharedDisk {
    private struct Lane {
        var runningCount = 0
        var waiting: [() -> Void] = []
    }

    private let disk: any DiskWork
    private let threadCount: Int
    private var lanes: [CacheDirectoryID: Lane] = [:]
    /// Directories in use.
    package var directoryCount = 1

    package init(_ disk: any DiskWork, threadCount: Int) {
        precondition(threadCount > 0)
        self.disk = disk
        self.threadCount = threadCount
    }

    private var share: Int { max(1, threadCount / max(1, directoryCount)) }

    /// In the order of calls, as far as the directory's share goes.
    func run<Value: Sendable>(
        for directory: CacheDirectoryID, _ work: @escaping @Sendable () -> Value,
        then completion: @escaping (Value) -> Void
    ) {
        lanes[directory, default: Lane()].waiting.append { [self] in
            disk.run(work) { value in
                self.lanes[directory]?.runningCount -= 1
                completion(value)
                self.startWaiting(for: directory)
            }
        }
        startWaiting(for: directory)
    }

    private func startWaiting(for directory: CacheDirectoryID) {
        while let lane = lanes[directory], lane.runningCount < share, !lane.waiting.isEmpty {
            lanes[directory]?.runningCount += 1
            let start = lanes[directory]?.waiting.removeFirst()
            start?()
        }
        if let lane = lanes[directory], lane.runningCount == 0 { lanes[directory] = nil }
    }
}
