// SPDX-License-Identifier: Apache-2.0
import Glibc

/// Little-endian integers at byte offsets, bounds checked: the accessors of our journal format.
extension IOBuffer {
    @inline(__always)
    package func store<Value: FixedWidthInteger & BitwiseCopyable>(_ value: Value, at byteOffset: Int) {
        precondition(byteOffset >= 0 && byteOffset + MemoryLayout<Value>.size <= byteCount)
        unsafe bytes.storeBytes(of: value.littleEndian, toByteOffset: byteOffset, as: Value.self)
    }

    @inline(__always)
    package func load<Value: FixedWidthInteger & BitwiseCopyable>(
        _ type: Value.Type = Value.self, at byteOffset: Int
    ) -> Value {
        precondition(byteOffset >= 0 && byteOffset + MemoryLayout<Value>.size <= byteCount)
        return unsafe Value(littleEndian: bytes.loadUnaligned(fromByteOffset: byteOffset, as: Value.self))
    }

    /// Copies bytes in; the ranges must lie within both.
    @inline(__always)
    package func copy(_ source: UnsafeRawBufferPointer, to byteOffset: Int) {
        precondition(byteOffset >= 0 && byteOffset + source.count <= byteCount)
        unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[byteOffset..<byteOffset + source.count])
            .copyMemory(from: source)
    }

    /// Copies part of another buffer in.
    package func copy(_ source: IOBuffer, from sourceOffset: Int, byteCount count: Int, to byteOffset: Int) {
        unsafe copy(UnsafeRawBufferPointer(source.bytes(sourceOffset..<sourceOffset + count)), to: byteOffset)
    }

    package func zero(_ range: Range<Int>) {
        guard !range.isEmpty else { return }
        unsafe bytes(range).initializeMemory(as: UInt8.self, repeating: 0)
    }

    package func isZero(_ range: Range<Int>) -> Bool {
        // All bytes are equal to their neighbours, and the first is zero.
        guard let first = range.first, load(UInt8.self, at: first) == 0 else { return range.isEmpty }
        let bytes = unsafe self.bytes(range)
        guard let base = bytes.baseAddress else { return true }
        return unsafe memcmp(base, base + 1, bytes.count - 1) == 0
    }

    /// Whether the first bytes of both are the same. Traps beyond the end of either.
    package func isEqual(to other: IOBuffer, byteCount: Int) -> Bool {
        unsafe precondition(byteCount <= bytes.count && byteCount <= other.bytes.count, "beyond the buffer's end")
        guard byteCount > 0, let own = unsafe bytes.baseAddress, let others = unsafe other.bytes.baseAddress else {
            return true
        }
        return unsafe memcmp(own, others, byteCount) == 0
    }
}
