// SPDX-License-Identifier: Apache-2.0
import Glibc
import Platform
package import Wire

/// A directory as a bucket (`file://`): one file per object, holding its bytes and nothing else, so that the bucket can
/// be read, copied or moved to S3 with ordinary tools.
///
/// - A write is staged in a file of its own, made durable, then given its name in one step: link(2) where nothing may
///   be there, rename(2) otherwise; then the folder is made durable. A crash at any point leaves the old or the new
///   object and perhaps a staged file, which a later start removes.
/// - The entity tag is a hash of the contents. Two equal versions so have one tag (as with S3's ETag): every record
///   written under `matches` holds a fresh random id, so an old version never comes back (block-over-object.md §3.6).
///   In return a bucket that was copied or restored keeps its tags.
/// - Whatever replaces or removes an object holds its `ReplacementLock`, so a condition is decided against all other
///   processes. flock(2) works on local file systems and, on Linux, on NFS.
/// - An object and a folder cannot share a name here; Sluice's layout never asks for it.
package final class DirectoryObjectStore: ObjectStore {
    package let location: String
    private let tree: ObjectTree
    private let prefix: String
    private let access: BucketAccess
    private let lockTimeout: Duration
    // Apart, so that a write that waits for a lock or a sync never holds up a read.
    private let readThreads: BlockingThreads
    private let writeThreads: BlockingThreads

    /// - Parameters:
    ///   - directory: must exist.
    ///   - leftoverAgeSeconds: staged files older than this are from a crash.
    package init(
        directory: String, prefix: String = "", access: BucketAccess = .readWrite, readThreadCount: Int = 8,
        writeThreadCount: Int = 8, lockTimeout: Duration = .seconds(5), leftoverAgeSeconds: Int = 3600
    ) throws(ObjectStoreError) {
        location = "file://" + directory
        self.prefix = prefix.isEmpty ? "" : prefix + "/"
        self.access = access
        self.lockTimeout = lockTimeout
        do {
            tree = try ObjectTree(directory)
            if access == .readWrite {
                try tree.prepareForWriting()
                _ = try tree.removeLeftovers(olderThanSeconds: leftoverAgeSeconds)
            }
            readThreads = try BlockingThreads(name: "bucket-read", count: readThreadCount)
            writeThreads = try BlockingThreads(name: "bucket-write", count: writeThreadCount)
        } catch {
            throw ObjectStoreError(opening: directory, error)
        }
    }

    package func put(
        _ key: ObjectKey, _ bytes: [UInt8], _ precondition: WritePrecondition
    ) async throws(ObjectStoreError) -> EntityTag {
        let path = try writablePath(key)
        return try await writeThreads.run(throwing: { () throws(ObjectStoreError) in
            try self.store(bytes, key: key, path: path, precondition)
        })
    }

    package func get(_ key: ObjectKey) async throws(ObjectStoreError) -> ObjectContents {
        let path = try self.path(key)
        return try await readThreads.run(throwing: { () throws(ObjectStoreError) in
            let bytes = try self.readWhole(key, path)
            return ObjectContents(bytes: bytes, tag: Self.tag(bytes))
        })
    }

    package func getRange(
        _ key: ObjectKey, byteOffset: UInt64, byteCount: Int
    ) async throws(ObjectStoreError) -> [UInt8] {
        precondition(byteCount >= 0)
        let path = try self.path(key)
        return try await readThreads.run(throwing: { () throws(ObjectStoreError) in
            try self.readRange(key, path, byteOffset: byteOffset, byteCount: byteCount)
        })
    }

    package func byteCount(of key: ObjectKey) async throws(ObjectStoreError) -> UInt64 {
        let path = try self.path(key)
        return try await readThreads.run(throwing: { () throws(ObjectStoreError) in
            try self.readByteCount(key, path)
        })
    }

    package func delete(_ key: ObjectKey) async throws(ObjectStoreError) {
        let path = try writablePath(key)
        try await writeThreads.run(throwing: { () throws(ObjectStoreError) in try self.remove(key, path) })
    }

    package func list(
        prefix: String, after: ObjectKey?, limit: Int
    ) async throws(ObjectStoreError) -> ObjectPage {
        precondition(limit > 0)
        try ObjectKeyRules.check(prefix: prefix)
        let walk = ObjectWalk(tree: tree, root: self.prefix, prefix: prefix, after: after?.name, limit: limit)
        return try await readThreads.run(throwing: { () throws(ObjectStoreError) in
            do throws(SystemError) {
                return try walk.page()
            } catch {
                throw ObjectStoreError(listing: prefix, error)
            }
        })
    }

    private func path(_ key: ObjectKey) throws(ObjectStoreError) -> String {
        try ObjectKeyRules.check(key)
        return prefix + key.name
    }

    private func writablePath(_ key: ObjectKey) throws(ObjectStoreError) -> String {
        guard access == .readWrite else { throw .refused(.readOnlyAccess) }
        return try path(key)
    }

    private static func tag(_ bytes: [UInt8]) -> EntityTag {
        EntityTag(hexadecimal(ContentHash.xxh64(bytes), digits: 16) + "-" + String(bytes.count, radix: 16))
    }
}

// MARK: - On the threads

extension DirectoryObjectStore {
    private struct OpenObject: ~Copyable {
        let file: OpenFile
        let byteCount: UInt64
    }

    private func openObject(_ path: String) throws(SystemError) -> OpenObject {
        let file = try tree.open(path)
        let status = try file.status()
        // A folder of that name, or something that is not ours.
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw SystemError(errorNumber: ENOENT, call: "open", path: path)
        }
        return OpenObject(file: file, byteCount: UInt64(max(0, status.st_size)))
    }

    private func readByteCount(_ key: ObjectKey, _ path: String) throws(ObjectStoreError) -> UInt64 {
        do {
            return try openObject(path).byteCount
        } catch {
            throw ObjectStoreError(reading: key, error)
        }
    }

    private func readWhole(_ key: ObjectKey, _ path: String) throws(ObjectStoreError) -> [UInt8] {
        let bytes: [UInt8]
        let expected: UInt64
        do {
            let object = try openObject(path)
            expected = object.byteCount
            bytes = try object.file.read(byteOffset: 0, byteCount: Int(expected))
        } catch {
            throw ObjectStoreError(reading: key, error)
        }
        guard bytes.count == expected else {
            throw .corrupt(key, .short(expected: expected, found: UInt64(bytes.count)))
        }
        return bytes
    }

    private func readRange(
        _ key: ObjectKey, _ path: String, byteOffset: UInt64, byteCount: Int
    ) throws(ObjectStoreError) -> [UInt8] {
        let bytes: [UInt8]
        let found: UInt64
        do {
            let object = try openObject(path)
            found = object.byteCount > byteOffset ? min(object.byteCount - byteOffset, UInt64(byteCount)) : 0
            bytes = found < byteCount ? [] : try object.file.read(byteOffset: byteOffset, byteCount: byteCount)
        } catch {
            throw ObjectStoreError(reading: key, error)
        }
        guard bytes.count == byteCount else {
            throw .corrupt(key, .short(expected: UInt64(byteCount), found: min(found, UInt64(byteCount))))
        }
        return bytes
    }

    private func store(
        _ bytes: [UInt8], key: ObjectKey, path: String, _ precondition: WritePrecondition
    ) throws(ObjectStoreError) -> EntityTag {
        let staged: String
        do {
            try tree.makeFolders(above: path)
            staged = try stage(bytes)
        } catch {
            throw ObjectStoreError(staging: key, error, bucket: tree.location)
        }
        do {
            switch precondition {
            case .absent: try create(key, path, staged)
            case .none: try replace(key, path, staged, expecting: nil)
            case .matches(let tag): try replace(key, path, staged, expecting: tag)
            }
        } catch {
            tree.discard(staged)
            throw error
        }
        return Self.tag(bytes)
    }

    private func stage(_ bytes: [UInt8]) throws(SystemError) -> String {
        do {
            return try tree.stage(bytes)
        } catch {
            guard error.errorNumber == ENOENT else { throw error }
            // Somebody cleared the reserved folder away while we ran.
            try tree.prepareForWriting()
            return try tree.stage(bytes)
        }
    }

    private func create(_ key: ObjectKey, _ path: String, _ staged: String) throws(ObjectStoreError) {
        do {
            try withFolders(above: path) { () throws(SystemError) in try tree.link(staged, as: path) }
        } catch {
            if error.errorNumber == EEXIST {
                throw tree.isFolder(path) ? .invalidKey(key.name, .bothObjectAndFolder) : .preconditionFailed(key)
            }
            throw ObjectStoreError(installing: key, error)
        }
        try makeDurable(key, path)
    }

    private func replace(
        _ key: ObjectKey, _ path: String, _ staged: String, expecting tag: EntityTag?
    ) throws(ObjectStoreError) {
        let lock = try takeLock(path)
        if let tag {
            guard Self.tag(try readWhole(key, path)) == tag else { throw .preconditionFailed(key) }
        }
        do {
            try withFolders(above: path) { () throws(SystemError) in try tree.rename(staged, to: path) }
        } catch {
            throw ObjectStoreError(installing: key, error)
        }
        try makeDurable(key, path)
        _ = consume lock
    }

    private func remove(_ key: ObjectKey, _ path: String) throws(ObjectStoreError) {
        let lock = try takeLock(path)
        do {
            try tree.remove(path)
        } catch {
            // EISDIR: a folder of that name, so no object.
            if [ENOENT, ENOTDIR, EISDIR].contains(error.errorNumber) { return }
            throw ObjectStoreError(installing: key, error)
        }
        try makeDurable(key, path)
        _ = consume lock
    }

    private func takeLock(_ path: String) throws(ObjectStoreError) -> ReplacementLock {
        do {
            return try ReplacementLock(tree, for: path, timeout: lockTimeout)
        } catch {
            throw ObjectStoreError(locking: error, timeout: lockTimeout)
        }
    }

    /// A folder that was there before may have been removed by hand since.
    private func withFolders(
        above path: String, _ body: () throws(SystemError) -> Void
    ) throws(SystemError) {
        do {
            try body()
        } catch {
            guard error.errorNumber == ENOENT else { throw error }
            tree.forgetFolders()
            try tree.makeFolders(above: path)
            try body()
        }
    }

    private func makeDurable(_ key: ObjectKey, _ path: String) throws(ObjectStoreError) {
        do {
            try tree.syncFolder(of: path)
        } catch {
            // The new state is visible, and nobody knows whether it outlives a power cut.
            throw .ambiguous(key, .system(error))
        }
    }
}
