// SPDX-License-Identifier: Apache-2.0
import CacheManager
import Engine
import Platform
import TestSupport
import Testing

/// Disk threads of which a test decides when they have done their work.
private final class HeldDisk: DiskWork {
    private var running: [() -> Void] = []
    var runningCount: Int { running.count }

    func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value, then completion: @escaping (Value) -> Void) {
        running.append { completion(work()) }
    }

    func finish(_ index: Int) { running.remove(at: index)() }
}

struct SharedDiskTests {
    private let disk = HeldDisk()
    private let directories = [CacheDirectoryID(1), CacheDirectoryID(2)]

    private func files(_ paths: [String]) -> CacheFiles {
        let shared = SharedDisk(disk, threadCount: 8)
        shared.directoryCount = paths.count
        let files = CacheFiles(disk: shared, regionByteCount: 256 << 10)
        for (directory, path) in zip(directories, paths) { files.name(directory, path) }
        return files
    }

    @Test func aHungDirectoryTakesNoMoreThanItsShareOfTheThreads() throws {
        let root = try TemporaryDirectory()
        let files = files([try root.directory("a"), try root.directory("b")])
        var order: [UInt32] = []
        for number in 0..<UInt32(20) {
            files.read(CacheFile(directory: directories[0], number: number), byteOffset: 0, byteCount: 64) { _ in
                order.append(number)
            }
        }
        #expect(disk.runningCount == 4)
        var isAnswered = false
        files.read(CacheFile(directory: directories[1], number: 0), byteOffset: 0, byteCount: 64) { _ in
            isAnswered = true
        }
        #expect(disk.runningCount == 5)
        disk.finish(4)
        #expect(isAnswered && order.isEmpty)
        // Back to life, it does all that it was asked for, in order.
        while disk.runningCount > 0 { disk.finish(0) }
        #expect(order == Array(0..<20))
    }

    @Test func aSingleDirectoryHasAllThreads() throws {
        let root = try TemporaryDirectory()
        let files = files([try root.directory("a")])
        for number in 0..<UInt32(20) {
            files.read(CacheFile(directory: directories[0], number: number), byteOffset: 0, byteCount: 64) { _ in }
        }
        #expect(disk.runningCount == 8)
    }
}
