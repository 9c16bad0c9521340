// SPDX-License-Identifier: Apache-2.0
import Glibc
import Platform

/// A pipe that nobody writes to: whoever has its reading end sees it end when this process does, even by SIGKILL.
struct Lifeline {
    let readingEnd: Int32
    /// Open as long as this process lives, and not passed on.
    private let writingEnd: Int32

    init() throws(SystemError) {
        var ends: [Int32] = [-1, -1]
        guard unsafe pipe(&ends) == 0 else { throw .last("pipe") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        (readingEnd, writingEnd) = (ends[0], ends[1])
    }
}
