// SPDX-License-Identifier: Apache-2.0
import Glibc
package import Messages
import Platform

/// What every service reports about itself: its version, its past under this name, and the kernel's accounts.
package struct ProcessMetrics: Sendable {
    private let startedAt: Timestamp
    private let restartCount: UInt64

    /// - Parameter restartCount: as its slot in the run directory knows it.
    package init(startedAt: Timestamp, restartCount: UInt64 = 0) {
        self.startedAt = startedAt
        self.restartCount = restartCount
    }

    package var families: [MetricFamily] {
        var usage = rusage()
        // Cannot fail for the calling process.
        unsafe _ = getrusage(RUSAGE_SELF.rawValue, &usage)
        let processor = Self.seconds(usage.ru_utime) + Self.seconds(usage.ru_stime)
        return [
            MetricFamily(.buildInfo, [.init(labels: ["version": SoftwareVersion.current], value: 1)]),
            MetricFamily(.serviceRestarts, restartCount),
            MetricFamily(.serviceStartTime, Double(startedAt.milliseconds) / 1000),
            MetricFamily(.serviceProcessorSeconds, processor),
            MetricFamily(.serviceMemory, Self.residentByteCount()),
            MetricFamily(.serviceOpenFiles, Self.openFileCount()),
        ]
    }

    private static func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }

    /// Second word of /proc/self/statm, in pages.
    private static func residentByteCount() -> Double {
        guard let bytes = try? FileSystem.readFile("/proc/self/statm", limit: 256),
            let pages = String(decoding: bytes, as: UTF8.self).split(separator: " ").dropFirst().first.flatMap({
                Double($0)
            })
        else { return 0 }
        return pages * Double(sysconf(Int32(_SC_PAGESIZE)))
    }

    private static func openFileCount() -> Double {
        // One of them is the listing itself.
        Double(max(1, (try? FileSystem.list("/proc/self/fd").count) ?? 1) - 1)
    }
}

/// What the exporter reports about its machine, for figures that are shares of it.
package enum MachineMetrics {
    package static var families: [MetricFamily] {
        [
            MetricFamily(
                .machineMemory, Double(sysconf(Int32(_SC_PHYS_PAGES))) * Double(sysconf(Int32(_SC_PAGESIZE)))),
            MetricFamily(.machineProcessors, sysconf(Int32(_SC_NPROCESSORS_ONLN))),
        ]
    }
}
