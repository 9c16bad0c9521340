// SPDX-License-Identifier: Apache-2.0
import CShims
import Glibc

/// Reads a file from its disk and not from the page cache, which after a failed write may hold what the disk does not.
/// Uses O_DIRECT; where the file system has none, it drops the cached pages before each read, which is only a request
/// to the kernel. Blocks; for one thread at a time.
package final class UncachedReader {
    private static let alignment: UInt64 = 4096
    private static let chunkByteCount = 1 << 20

    package let path: String
    /// False where the file system does not offer O_DIRECT.
    package let isDirect: Bool
    private let fileDescriptor: Int32
    private let chunk = IOBuffer(byteCount: chunkByteCount)

    package init(path: String) throws(SystemError) {
        self.path = path
        let flags = O_RDONLY | O_CLOEXEC
        let direct = retryingInterrupts { unsafe Int(sluice_open(path, flags | sluice_open_direct_flag(), 0)) }
        if direct >= 0 {
            fileDescriptor = Int32(direct)
            isDirect = true
            return
        }
        guard errno == EINVAL || errno == EOPNOTSUPP else { throw .last("open", path: path) }
        let buffered = retryingInterrupts { unsafe Int(sluice_open(path, flags, 0)) }
        guard buffered >= 0 else { throw .last("open", path: path) }
        fileDescriptor = Int32(buffered)
        isDirect = false
    }

    deinit { _ = close(fileDescriptor) }

    /// Any offset and length; whole aligned chunks are read and the wanted part is copied.
    /// - Returns: how much was read: less than asked only at the end of the file.
    package func read(
        into buffer: UnsafeMutableRawBufferPointer, at byteOffset: UInt64
    ) throws(SystemError) -> Int {
        if !isDirect { sluice_drop_page_cache(fileDescriptor) }
        var done = 0
        while done < buffer.count {
            let position = byteOffset + UInt64(done)
            let chunkOffset = position & ~(Self.alignment - 1)
            let skipped = Int(position - chunkOffset)
            let wanted = min(skipped + buffer.count - done, Self.chunkByteCount)
            let aligned = (wanted + Int(Self.alignment) - 1) & ~(Int(Self.alignment) - 1)
            let got = try readChunk(at: chunkOffset, byteCount: aligned)
            let usable = min(got, wanted) - skipped
            guard usable > 0 else { break }
            unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done..<(done + usable)])
                .copyMemory(from: UnsafeRawBufferPointer(chunk.bytes(skipped..<(skipped + usable))))
            done += usable
            if got < wanted { break }
        }
        return done
    }

    /// One aligned read into `chunk`. O_DIRECT reads are short only at the end of the file, and must not be continued
    /// at an offset that is not aligned.
    private func readChunk(at byteOffset: UInt64, byteCount: Int) throws(SystemError) -> Int {
        var done = 0
        while done < byteCount {
            let target = unsafe chunk.bytes(done..<byteCount)
            let offset = off_t(byteOffset) + off_t(done)
            let result = retryingInterrupts { unsafe pread(fileDescriptor, target.baseAddress, target.count, offset) }
            guard result >= 0 else { throw .last("read", path: path) }
            done += result
            if result == 0 || done % Int(Self.alignment) != 0 { break }
        }
        return done
    }
}
