// SPDX-License-Identifier: Apache-2.0
import Platform

/// What the services of one gateway may take of a machine's memory together.
extension GatewayConfiguration {
    package struct MemoryNeed: Equatable, Sendable {
        package var size: ByteSize
        package var reason: String
    }

    /// The most of each; most of it is taken only under load.
    package var memoryNeeds: [MemoryNeed] {
        func need(_ byteCount: UInt64, _ reason: String) -> MemoryNeed {
            MemoryNeed(size: ByteSize(byteCount: byteCount), reason: reason)
        }
        return [
            need(cacheMemory.byteCount, "cache.memory"),
            need(cacheIndexMemory.byteCount, "cache.index_memory"),
            need(iscsiWriteMemory.byteCount, "iscsi.write_memory"),
            need(iscsiReadMemory.byteCount, "iscsi.read_memory"),
            // Dirty data takes up to 1/64 (EngineLimits.indexByteCount), clean data that is still there as much again.
            need(journalSize.byteCount / 32, "the index of the journal, 1/32 of journal.size"),
            need(cacheUploadMemory.byteCount, "cache.upload_memory"),
            // A pack's blocks in the uploader, and the pack that is made of them.
            need(UInt64(uploaderWriteSlots) * 32 << 20, "uploads, 32MiB for each of uploader.write_slots"),
            // A run of frames each (FetchRun), and the answer to it.
            need(UInt64(uploaderReadSlots) * 8 << 20, "downloads, 8MiB for each of uploader.read_slots"),
            need(128 << 20, "the services themselves"),
        ]
    }

    /// Refuses what would not fit when all of it is used: better at start than in the middle of the work.
    package func checkMemory(
        available: UInt64 = ProcessMemory.availableByteCount()
    ) throws(ConfigurationError) {
        let needs = memoryNeeds
        let sum = needs.reduce(UInt64(0)) { $0 + $1.size.byteCount }
        guard sum > available else { return }
        let list = needs.map { "\($0.size) for \($0.reason)" }.joined(separator: ", ")
        throw ConfigurationError(
            place: "",
            reason: "the gateway may need \(ByteSize(byteCount: sum)) of memory, and there are "
                + "\(ByteSize(byteCount: available)) here: \(list); lower some of them, or give it more memory")
    }
}
