// SPDX-License-Identifier: Apache-2.0
import Glibc

/// A fixed number of 32-bit words that begin as 0, for large tables. Pages that were never written cost no memory.
/// Owned by one object and used on one thread.
@safe package final class ZeroedWords {
    package let count: Int
    private let words: UnsafeMutablePointer<UInt32>

    package init(count: Int) {
        precondition(count > 0)
        self.count = count
        guard let memory = unsafe calloc(count, MemoryLayout<UInt32>.size) else {
            preconditionFailure("no memory for a table of \(count) words")
        }
        unsafe words = memory.bindMemory(to: UInt32.self, capacity: count)
    }

    package subscript(_ index: Int) -> UInt32 {
        get {
            precondition(index >= 0 && index < count)
            return unsafe words[index]
        }
        set {
            precondition(index >= 0 && index < count)
            unsafe words[index] = newValue
        }
    }

    deinit { unsafe free(words) }
}
