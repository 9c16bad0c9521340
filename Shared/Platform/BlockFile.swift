// SPDX-License-Identifier: Apache-2.0
import CShims
import Glibc

/// An open file read and written at offsets. All calls but `readNoWait` and `size` may block: not for event loops.
/// The descriptor is closed with the last reference; the calls are safe from several threads, as pread and pwrite are.
package final class BlockFile: Sendable {
    package enum Access: Sendable { case readOnly, readWrite }
    package enum Creation: Sendable {
        /// The file must exist.
        case never
        case ifMissing
        /// The file must not exist.
        case exclusive
    }

    package let path: String
    package let fileDescriptor: Int32

    package init(
        path: String, access: Access, creation: Creation = .never, permissions: UInt32 = 0o600
    ) throws(SystemError) {
        self.path = path
        var flags = O_CLOEXEC | (access == .readOnly ? O_RDONLY : O_RDWR)
        switch creation {
        case .never: break
        case .ifMissing: flags |= O_CREAT
        case .exclusive: flags |= O_CREAT | O_EXCL
        }
        let openFlags = flags
        fileDescriptor = Int32(retryingInterrupts { unsafe Int(sluice_open(path, openFlags, permissions)) })
        guard fileDescriptor >= 0 else { throw .last("open", path: path) }
    }

    deinit { _ = close(fileDescriptor) }

    // MARK: Reading

    /// - Returns: how much was read: less than asked only at the end of the file.
    package func read(
        into buffer: UnsafeMutableRawBufferPointer, at byteOffset: UInt64
    ) throws(SystemError) -> Int {
        guard let base = buffer.baseAddress else { return 0 }
        var done = 0
        while done < buffer.count {
            let (start, count, offset) = unsafe (base + done, buffer.count - done, off_t(byteOffset) + off_t(done))
            let result = retryingInterrupts { unsafe pread(fileDescriptor, start, count, offset) }
            guard result >= 0 else { throw .last("read", path: path) }
            if result == 0 { break }
            done += result
        }
        return done
    }

    /// Reads all that is asked. A file that ends before is an error (EIO): it was cut.
    package func readFully(
        into buffer: UnsafeMutableRawBufferPointer, at byteOffset: UInt64
    ) throws(SystemError) {
        guard try unsafe read(into: buffer, at: byteOffset) == buffer.count else {
            throw SystemError(errorNumber: EIO, call: "read past the end of", path: path)
        }
    }

    /// Reads what the page cache holds, without waiting for the disk.
    /// - Returns: the bytes read from the start of the range; 0 when none is at hand (or the file ends here).
    package func readNoWait(into buffer: UnsafeMutableRawBufferPointer, at byteOffset: UInt64) -> Int {
        guard let base = buffer.baseAddress, buffer.count > 0 else { return 0 }
        // Every failure means the same: take the blocking way, which reports it.
        return max(0, unsafe sluice_pread_nowait(fileDescriptor, base, buffer.count, off_t(byteOffset)))
    }

    // MARK: Writing

    package func write(_ bytes: UnsafeRawBufferPointer, at byteOffset: UInt64) throws(SystemError) {
        guard let base = bytes.baseAddress else { return }
        var done = 0
        while done < bytes.count {
            let (start, count, offset) = unsafe (base + done, bytes.count - done, off_t(byteOffset) + off_t(done))
            let result = retryingInterrupts { unsafe pwrite(fileDescriptor, start, count, offset) }
            guard result >= 0 else { throw .last("write", path: path) }
            // A write of nothing without an error would loop for ever: no room is the only cause there is.
            guard result > 0 else { throw SystemError(errorNumber: ENOSPC, call: "write", path: path) }
            done += result
        }
    }

    /// After a failure nothing is known about what is on the disk: never call it again (STORAGE §4).
    package func syncData() throws(SystemError) {
        guard retryingInterrupts({ Int(fdatasync(fileDescriptor)) }) == 0 else {
            throw .last("fdatasync", path: path)
        }
    }

    /// Reserves the space and extends the file; it reads as zeros.
    package func allocate(byteCount: UInt64) throws(SystemError) {
        let result = retryingInterrupts { Int(sluice_allocate(fileDescriptor, 0, off_t(byteCount))) }
        if result != 0, errno == EOPNOTSUPP { return try truncate(byteCount: byteCount) }
        guard result == 0 else { throw .last("fallocate", path: path) }
    }

    /// Writes zeros over `0 ..< byteCount`. Unlike `allocate` it leaves no unwritten extents, so that a later write and
    /// fdatasync change no metadata.
    package func fillWithZeros(byteCount: UInt64) throws(SystemError) {
        let chunk = IOBuffer(byteCount: 1 << 20)
        chunk.zero()
        var offset: UInt64 = 0
        while offset < byteCount {
            let count = Int(min(UInt64(chunk.byteCount), byteCount - offset))
            try unsafe write(UnsafeRawBufferPointer(chunk.bytes(0..<count)), at: offset)
            offset += UInt64(count)
        }
    }

    package func truncate(byteCount: UInt64) throws(SystemError) {
        guard retryingInterrupts({ Int(ftruncate(fileDescriptor, off_t(byteCount))) }) == 0 else {
            throw .last("ftruncate", path: path)
        }
    }

    package func size() throws(SystemError) -> UInt64 {
        var information = stat()
        guard unsafe fstat(fileDescriptor, &information) == 0 else { throw .last("fstat", path: path) }
        return UInt64(information.st_size)
    }

    // MARK: Locking

    /// An exclusive flock, held until the file is closed. It dies with the process, also by SIGKILL.
    /// - Returns: false if another process or open file holds it.
    package func tryLock() throws(SystemError) -> Bool {
        if retryingInterrupts({ Int(flock(fileDescriptor, LOCK_EX | LOCK_NB)) }) == 0 { return true }
        guard errno == EWOULDBLOCK else { throw .last("flock", path: path) }
        return false
    }
}

/// Calls again while a signal interrupts.
@inline(__always)
func retryingInterrupts(_ call: () -> Int) -> Int {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}
