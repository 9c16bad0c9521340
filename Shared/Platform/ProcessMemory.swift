// SPDX-License-Identifier: Apache-2.0
import CShims
import Glibc

/// How this process uses memory.
package enum ProcessMemory {
    /// Keeps freed buffers of up to 32 MiB for reuse instead of giving them back: otherwise every large one is mapped
    /// and faulted in anew, which costs more than filling it. Call once at start.
    package static func keepFreedBuffers() { sluice_tune_malloc() }

    /// What there is for this process: the machine's memory, or what its control group may have of it.
    package static func availableByteCount() -> UInt64 {
        let machine = UInt64(max(0, sysconf(Int32(_SC_PHYS_PAGES)))) * UInt64(max(0, sysconf(Int32(_SC_PAGESIZE))))
        let groups = text("/proc/self/cgroup") ?? ""
        return limitFiles(groups).compactMap { text($0).flatMap(limit) }.reduce(machine, min)
    }

    /// Where limits of the groups and of those above them stand, by `/proc/self/cgroup`: version 2 and 1.
    package static func limitFiles(_ groups: String) -> [String] {
        groups.split(separator: "\n").flatMap { line -> [String] in
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { return [] }
            let place: (root: String, file: String)
            switch parts[1] {
            case "": place = ("/sys/fs/cgroup", "memory.max")
            case let names where names.split(separator: ",").contains("memory"):
                place = ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            default: return []
            }
            var path = place.root
            let names = parts[2].split(separator: "/")
            return ["\(path)/\(place.file)"]
                + names.map { name in
                    path += "/\(name)"
                    return "\(path)/\(place.file)"
                }
        }
    }

    /// nil for `max`: there is none.
    private static func limit(_ text: String) -> UInt64? {
        UInt64(text.prefix { $0.isASCII && $0.isNumber })
    }

    private static func text(_ path: String) -> String? {
        (try? FileSystem.readFile(path, limit: 64 << 10)).map { String(decoding: $0, as: UTF8.self) }
    }
}
