// SPDX-License-Identifier: Apache-2.0
import CZstd
import Wire

/// zstd with contexts that are reused: making one costs more than compressing a frame with it.
///
/// Owned by one thread at a time; it is not `Sendable`. `@safe`: the contexts are private, live exactly as long as
/// the object, and every pointer handed to zstd comes with the size of the array it points into.
@safe package final class ZstdCodec {
    private let compressor: OpaquePointer?
    private let decompressor: OpaquePointer?
    private var scratch: [UInt8] = []
    private var compressedByteCount = 0
    /// The last source did not become smaller, and the next is probably of its kind.
    private var isDoubtful = false

    package init() {
        unsafe compressor = ZSTD_createCCtx()
        unsafe decompressor = ZSTD_createDCtx()
        unsafe precondition(compressor != nil && decompressor != nil, "out of memory")
    }

    deinit {
        unsafe ZSTD_freeCCtx(compressor)
        unsafe ZSTD_freeDCtx(decompressor)
    }

    /// What `compress` made.
    var compressed: ArraySlice<UInt8> { scratch[..<compressedByteCount] }

    /// Compresses `source` if that makes it smaller. After one that it did not, a sample is tried first: so what cannot
    /// be compressed costs little.
    /// - Returns: whether `compressed` is to be used.
    func compress(_ source: UnsafeRawBufferPointer, level: Int) throws(EngineError) -> Bool {
        precondition((1...9).contains(level))
        let sample = Geometry.blockByteCount
        if isDoubtful, source.count >= 4 * sample {
            let middle = source.count / 2
            let part = unsafe UnsafeRawBufferPointer(rebasing: source[middle..<middle + sample])
            guard try unsafe isSmaller(part, level: level) else { return false }
        }
        let isCompressed = try unsafe isSmaller(source, level: level)
        isDoubtful = !isCompressed
        return isCompressed
    }

    private func isSmaller(_ source: UnsafeRawBufferPointer, level: Int) throws(EngineError) -> Bool {
        guard source.count > 1 else { return false }
        if scratch.count < source.count { scratch = [UInt8](repeating: 0, count: source.count) }
        // One byte less than the source: what would not be smaller does not fit, and zstd stops early.
        let result = unsafe scratch.withUnsafeMutableBytes {
            unsafe ZSTD_compressCCtx(
                compressor, $0.baseAddress, source.count - 1, source.baseAddress, source.count, Int32(level))
        }
        if ZSTD_isError(result) != 0 {
            let code = ZSTD_getErrorCode(result)
            if code == ZSTD_error_dstSize_tooSmall { return false }
            throw .zstd(code: Int(code.rawValue))
        }
        compressedByteCount = result
        return true
    }

    /// - Parameter byteCount: what must come out, no more and no less.
    func decompress(_ source: ArraySlice<UInt8>, byteCount: Int) throws(EngineError) -> [UInt8] {
        var result = 0
        let bytes = unsafe source.withUnsafeBytes { source in
            unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { target, initialized in
                unsafe result = ZSTD_decompressDCtx(
                    decompressor, target.baseAddress, byteCount, source.baseAddress, source.count)
                initialized = ZSTD_isError(result) != 0 ? 0 : result
            }
        }
        if ZSTD_isError(result) != 0 { throw .zstd(code: Int(ZSTD_getErrorCode(result).rawValue)) }
        guard bytes.count == byteCount else {
            throw .zstd(code: Int(ZSTD_error_corruption_detected.rawValue))
        }
        return bytes
    }
}
