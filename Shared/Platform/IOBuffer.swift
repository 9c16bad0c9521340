// SPDX-License-Identifier: Apache-2.0

/// Memory for block data of a fixed size. Contents start undefined.
///
/// Owned by whoever holds the reference; it moves between threads only inside a message, and two threads never
/// use it at once. That is the proof for `@unchecked Sendable`.
@safe package final class IOBuffer: @unchecked Sendable {
    package let byteCount: Int
    private let memory: UnsafeMutableRawPointer
    /// From this size on the memory begins on a page, which direct I/O needs. Below it does not: the allocator takes
    /// several times longer for an aligned block.
    private static let alignedByteCount = 64 << 10

    package init(byteCount: Int) {
        self.byteCount = byteCount
        unsafe memory = .allocate(
            byteCount: max(byteCount, 1), alignment: byteCount >= Self.alignedByteCount ? 4096 : 16)
    }

    package convenience init(copying bytes: UnsafeRawBufferPointer) {
        self.init(byteCount: bytes.count)
        unsafe self.bytes.copyMemory(from: bytes)
    }

    package convenience init(_ bytes: [UInt8]) {
        self.init(byteCount: bytes.count)
        unsafe bytes.withUnsafeBytes { unsafe self.bytes.copyMemory(from: $0) }
    }

    package var bytes: UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(start: memory, count: byteCount)
    }

    package func bytes(_ range: Range<Int>) -> UnsafeMutableRawBufferPointer {
        precondition(range.lowerBound >= 0 && range.upperBound <= byteCount)
        return unsafe UnsafeMutableRawBufferPointer(start: memory + range.lowerBound, count: range.count)
    }

    package func zero() { unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0) }

    package var array: [UInt8] { unsafe [UInt8](bytes) }
    package func array(_ range: Range<Int>) -> [UInt8] { unsafe [UInt8](bytes(range)) }

    deinit { unsafe memory.deallocate() }
}
