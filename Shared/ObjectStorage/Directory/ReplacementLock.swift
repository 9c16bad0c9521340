// SPDX-License-Identifier: Apache-2.0
import Glibc
import Platform

/// Held while "what is there now?" and "replace it" have to be one step, against every thread, process and container
/// that has the bucket's directory mounted. The kernel lets go of it when its holder dies.
///
/// Waiting ends after a time: the holder may be stopped or hang in a slow disk, and a write that waits for it for ever
/// would take the threads of all others with it.
struct ReplacementLock: ~Copyable {
    /// Keys share locks; a lock is held for two disk syncs at most.
    static let stripeCount = 64
    private let file: OpenFile

    /// - Throws: `EWOULDBLOCK` when the lock could not be had in time; nothing has happened then.
    init(_ tree: ObjectTree, for path: String, timeout: Duration) throws(SystemError) {
        let stripe = Int(ContentHash.xxh64(Array(path.utf8)) % UInt64(Self.stripeCount))
        let deadline = ContinuousClock.now + timeout
        var pause: UInt32 = 200
        while true {
            let candidate = try tree.openLock(stripe: stripe)
            if flock(candidate.number, LOCK_EX | LOCK_NB) == 0 {
                // A lock file that somebody removed in the meantime excludes nobody who opens it now.
                if try candidate.status().st_nlink > 0 {
                    file = candidate
                    return
                }
                continue
            }
            guard errno == EWOULDBLOCK || errno == EINTR else { throw .last("flock", path: path) }
            guard ContinuousClock.now < deadline else {
                throw SystemError(errorNumber: EWOULDBLOCK, call: "flock", path: path)
            }
            usleep(pause)
            pause = min(pause * 2, 10_000)
        }
    }
}
