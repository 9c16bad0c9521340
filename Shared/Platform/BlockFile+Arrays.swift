// SPDX-License-Identifier: Apache-2.0

/// Reading into memory of one's own, for what is handed on as an array.
extension BlockFile {
    /// All of it, from the page cache; nil if any of it would have to be waited for.
    package func readNoWait(byteCount: Int, at byteOffset: UInt64) -> [UInt8]? {
        var ready = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            unsafe ready = readNoWait(into: UnsafeMutableRawBufferPointer(buffer), at: byteOffset)
            count = ready
        }
        return ready == byteCount ? bytes : nil
    }

    /// Blocks.
    package func readFully(byteCount: Int, at byteOffset: UInt64) throws(SystemError) -> [UInt8] {
        var result: Result<Void, SystemError> = .success(())
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            result = Result { () throws(SystemError) in
                try unsafe readFully(into: UnsafeMutableRawBufferPointer(buffer), at: byteOffset)
            }
            if case .success = result { count = byteCount }
        }
        try result.get()
        return bytes
    }
}
