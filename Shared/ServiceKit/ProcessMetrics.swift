// SPDX-License-Identifier: Apache-2.0
import Glibc
package import Messages
import Platform

/// What every service reports about itself, from the kernel's accounts.
package enum ProcessMetrics {
    package static func families(startedAt start: Timestamp) -> [MetricFamily] {
        var usage = rusage()
        // Cannot fail for the calling process.
        unsafe _ = getrusage(RUSAGE_SELF.rawValue, &usage)
        let processor = seconds(usage.ru_utime) + seconds(usage.ru_stime)
        return [
            MetricFamily(
                name: "sluice_service_info", help: "Constant 1; the software's version is a label.", type: .gauge,
                samples: [.init(labels: ["version": SoftwareVersion.current], value: 1)]),
            gauge(
                "sluice_service_start_time_seconds", "When the process started, seconds since 1970.",
                Double(start.milliseconds) / 1000),
            MetricFamily(
                name: "sluice_service_cpu_seconds_total", help: "Processor time used, user and system.",
                type: .counter, samples: [.init(value: processor)]),
            gauge("sluice_service_resident_memory_bytes", "Memory in use.", residentByteCount()),
            gauge("sluice_service_open_files", "Open file descriptors.", openFileCount()),
        ]
    }

    private static func gauge(_ name: String, _ help: String, _ value: Double) -> MetricFamily {
        MetricFamily(name: name, help: help, type: .gauge, samples: [.init(value: value)])
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
