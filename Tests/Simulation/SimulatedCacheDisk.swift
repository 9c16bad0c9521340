// SPDX-License-Identifier: Apache-2.0
import Engine
import Platform
import TestSupport

/// The disks of one machine's read cache: files that may be wrong, old or gone, because nobody relies on them.
struct SimulatedCacheDisk {
    /// What was begun and not completed.
    enum Operation {
        case open(CacheDirectoryID)
        case write(CacheToken, CacheFile, byteOffset: Int, IOBuffer, byteCount: Int)
        case read(CacheToken, CacheFile, byteOffset: Int, byteCount: Int)
        case late(CacheToken)
    }

    private(set) var files: [CacheFile: [UInt8]] = [:]

    mutating func write(_ bytes: [UInt8], to file: CacheFile, at byteOffset: Int, fileByteCount: Int) {
        precondition(byteOffset + bytes.count <= fileByteCount, "a write past the region's end")
        files[file, default: [UInt8](repeating: 0, count: fileByteCount)]
            .replaceSubrange(byteOffset..<byteOffset + bytes.count, with: bytes)
    }

    func read(_ file: CacheFile, at byteOffset: Int, byteCount: Int) -> [UInt8]? {
        guard let contents = files[file], byteOffset + byteCount <= contents.count else { return nil }
        return Array(contents[byteOffset..<byteOffset + byteCount])
    }

    mutating func remove(_ file: CacheFile) { files[file] = nil }
    mutating func removeAll() { files = [:] }

    func numbers(of directory: CacheDirectoryID) -> [CacheFile] {
        files.keys.filter { $0.directory == directory }.sorted { $0.number < $1.number }
    }

    /// Flips one bit somewhere in a range of a file.
    mutating func rot(_ file: CacheFile, in range: Range<Int>, random: inout SeededRandom) {
        guard !range.isEmpty, files[file] != nil else { return }
        files[file]?[range.lowerBound + random.below(range.count)] ^= 1 << UInt8(random.below(8))
    }

    /// Pieces of files that never reached the medium: the kernel wrote in any order, and nothing was synced.
    mutating func losePower(random: inout SeededRandom) {
        for file in files.keys.sorted(by: { ($0.directory, $0.number) < ($1.directory, $1.number) }) {
            for _ in 0..<random.below(4) {
                guard let count = files[file]?.count else { continue }
                let start = random.below(count / 4096) * 4096
                files[file]?.replaceSubrange(start..<start + 4096, with: repeatElement(0, count: 4096))
            }
        }
    }
}
