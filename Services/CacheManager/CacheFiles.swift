// SPDX-License-Identifier: Apache-2.0
package import Engine
package import Platform
import ServiceKit
import Wire

/// The region files of the read cache: `<cache directory>/<number>.region`. The table of open files belongs to the
/// shard's thread; the files in it may be used by disk threads at the same time, and stay open for them when they
/// leave it. The disk threads are the cache's own, so that a slow cache disk never holds up a journal, and divided
/// among the directories.
package final class CacheFiles {
    /// More would use up the file descriptors of a process with a large cache.
    private static let openLimit = 512
    /// Regions looked at in one go of a disk thread, between which others have their turn.
    private static let scanBatch = 8
    private static let suffix = ".region"

    private let disk: SharedDisk
    private let regionByteCount: Int
    private var paths: [CacheDirectoryID: String] = [:]
    private var openFiles: [CacheFile: BlockFile] = [:]
    /// Opened first, closed first.
    private var order: [CacheFile] = []
    /// The directories themselves, locked against other processes.
    private var locks: [CacheDirectoryID: BlockFile] = [:]
    /// Those to be locked, for as long as nobody gives them up.
    private var wanted: Set<CacheDirectoryID> = []

    package init(disk: SharedDisk, regionByteCount: Int) {
        self.disk = disk
        self.regionByteCount = regionByteCount
    }

    package func name(_ directory: CacheDirectoryID, _ path: String) { paths[directory] = path }
    /// Lets others have the directory.
    package func unlock(_ directory: CacheDirectoryID) {
        wanted.remove(directory)
        locks[directory] = nil
    }
    package func path(of directory: CacheDirectoryID) -> String? { paths[directory] }

    private func path(of file: CacheFile) -> String {
        "\(paths[file.directory] ?? ".")/\(Self.fileName(file.number))"
    }

    package static func fileName(_ number: UInt32) -> String { hexadecimal(UInt64(number), digits: 8) + suffix }

    private static func number(fileName: String) -> UInt32? {
        guard fileName.hasSuffix(suffix), let number = UInt32(fileName.dropLast(suffix.utf8.count), radix: 16),
            Self.fileName(number) == fileName
        else { return nil }
        return number
    }

    // MARK: Reading and writing

    /// What is in the page cache is answered at once.
    package func read(
        _ file: CacheFile, byteOffset: Int, byteCount: Int,
        then finish: @escaping (Result<[UInt8], SystemError>) -> Void
    ) {
        let known = openFiles[file]
        if let bytes = known?.readNoWait(byteCount: byteCount, at: UInt64(byteOffset)) {
            return finish(.success(bytes))
        }
        let path = path(of: file)
        disk.run(for: file.directory) { () -> Result<(BlockFile, [UInt8]), SystemError> in
            Result { () throws(SystemError) in
                try CacheFailpoints.read.hit()
                let opened = if let known { known } else { try BlockFile(path: path, access: .readWrite) }
                return (opened, try opened.readFully(byteCount: byteCount, at: UInt64(byteOffset)))
            }
        } then: { result in
            if case .success((let opened, _)) = result { self.adopt(opened, as: file) }
            finish(result.map { $0.1 })
        }
    }

    package func write(
        _ buffer: IOBuffer, byteCount: Int, to file: CacheFile, at byteOffset: Int,
        then finish: @escaping (Result<Void, SystemError>) -> Void
    ) {
        let known = openFiles[file]
        let (path, regionByteCount) = (path(of: file), regionByteCount)
        disk.run(for: file.directory) { () -> Result<BlockFile, SystemError> in
            Result { () throws(SystemError) in
                try CacheFailpoints.write.hit()
                let opened = if let known { known } else { try Self.make(path, byteCount: regionByteCount) }
                try unsafe opened.write(UnsafeRawBufferPointer(buffer.bytes(0..<byteCount)), at: UInt64(byteOffset))
                return opened
            }
        } then: { result in
            if case .success(let opened) = result { self.adopt(opened, as: file) }
            finish(result.map { _ in })
        }
    }

    package func discard(_ file: CacheFile) {
        openFiles[file] = nil
        order.removeAll { $0 == file }
        let path = path(of: file)
        disk.run(for: file.directory) { () -> Void in
            // A file that stays is found at the next start, and used or removed then.
            _ = try? Platform.FileSystem.remove(path)
        } then: {
        }
    }

    /// The file with all its space; one that cannot have it is removed again, so that it takes none from others.
    private static func make(_ path: String, byteCount: Int) throws(SystemError) -> BlockFile {
        let file = try BlockFile(path: path, access: .readWrite, creation: .ifMissing)
        guard try file.size() < UInt64(byteCount) else { return file }
        do throws(SystemError) {
            try file.allocate(byteCount: UInt64(byteCount))
            return file
        } catch {
            _ = try? Platform.FileSystem.remove(path)
            throw error
        }
    }

    private func adopt(_ opened: BlockFile, as file: CacheFile) {
        guard openFiles[file] == nil, paths[file.directory] != nil else { return }
        openFiles[file] = opened
        order.append(file)
        if order.count > Self.openLimit { openFiles[order.removeFirst()] = nil }
    }

    // MARK: Opening

    /// Looks at every region file of a directory, a few at a time.
    package func scan(
        _ directory: CacheDirectoryID, found: @escaping ([(CacheFile, CacheRegionScan)]) -> Void,
        then finish: @escaping (Result<Void, CacheDirectoryFailure>) -> Void
    ) {
        let path = paths[directory] ?? "."
        wanted.insert(directory)
        disk.run(for: directory) { () -> Result<(BlockFile, [UInt32]), CacheDirectoryFailure> in
            Result { () throws(CacheDirectoryFailure) in
                let lock = try Self.lock(path)
                let names: [String]
                do throws(SystemError) {
                    names = try Platform.FileSystem.list(path)
                } catch { throw .system(error) }
                return (lock, names.compactMap { Self.number(fileName: $0) })
            }
        } then: { result in
            switch result {
            case .failure(let failure): finish(.failure(failure))
            case .success((let lock, let numbers)):
                // Given up while its disk did not answer: others may have it as soon as the answer comes.
                guard self.wanted.contains(directory) else { return }
                self.locks[directory] = lock
                self.scan(numbers[...], of: directory, found: found) { finish(.success(())) }
            }
        }
    }

    /// Locks a directory for as long as what it returns is kept. On a disk thread.
    package static func lock(_ path: String) throws(CacheDirectoryFailure) -> BlockFile {
        let directory: BlockFile
        do { directory = try BlockFile(path: path, access: .readOnly) } catch { throw .system(error) }
        // Where the file system has no locks, nobody is kept out.
        guard (try? directory.tryLock()) != false else { throw .inUse(path) }
        return directory
    }

    /// Removes what is left in a directory that is not used any more, unless another gateway uses it or it is one of
    /// `others` by another name.
    package func clear(
        _ directory: CacheDirectoryID, unlessOneOf others: [String], then finish: @escaping (_ fileCount: Int) -> Void
    ) {
        let path = paths[directory] ?? "."
        disk.run(for: directory) { () -> Int in
            let real = Platform.FileSystem.realPath(path)
            guard real != nil, !others.contains(where: { Platform.FileSystem.realPath($0) == real }),
                let lock = try? Self.lock(path)
            else { return 0 }
            return withExtendedLifetime(lock) {
                let names = (try? Platform.FileSystem.list(path)) ?? []
                return names.filter {
                    Self.number(fileName: $0) != nil && (try? Platform.FileSystem.remove("\(path)/\($0)")) == true
                }.count
            }
        } then: {
            finish($0)
        }
    }

    private func scan(
        _ numbers: ArraySlice<UInt32>, of directory: CacheDirectoryID,
        found: @escaping ([(CacheFile, CacheRegionScan)]) -> Void, then finish: @escaping () -> Void
    ) {
        let batch = numbers.prefix(Self.scanBatch).map { CacheFile(directory: directory, number: $0) }
        guard !batch.isEmpty else { return finish() }
        let (filePaths, regionByteCount) = (batch.map(path(of:)), regionByteCount)
        disk.run(for: directory) {
            filePaths.map { Self.scan($0, regionByteCount: regionByteCount) }
        } then: { scans in
            found(Array(zip(batch, scans)))
            self.scan(numbers.dropFirst(Self.scanBatch), of: directory, found: found, then: finish)
        }
    }

    private static func scan(_ path: String, regionByteCount: Int) -> CacheRegionScan {
        guard let file = try? BlockFile(path: path, access: .readOnly) else { return .unreadable }
        return CacheRegionScan.scan(regionByteCount: regionByteCount) { byteOffset, byteCount in
            try? file.readFully(byteCount: byteCount, at: UInt64(byteOffset))
        }
    }
}

/// Where tests let the cache's disk fail.
enum CacheFailpoints {
    static let read = Failpoint("cache.region.read")
    static let write = Failpoint("cache.region.write")
}
