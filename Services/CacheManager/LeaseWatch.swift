// SPDX-License-Identifier: Apache-2.0
import Engine
import Wire

/// HEAD as the bucket has it, and its version there.
struct StoredHead: Equatable {
    var head: Head
    var tag: EntityTag
}

/// What a taker has seen of a lease (STORAGE §3). The owner counts its lease from before it sent HEAD; the taker
/// counts, by its own clock, from after it had read that HEAD. Whoever writes HEAD in between changes it, and no
/// version comes back: so when this says `free` and HEAD is then replaced under If-Match, its owner has stopped
/// answering.
struct LeaseWatch {
    enum Finding: Equatable {
        /// The lease has run out, or the owner has shut the volume down and answers nothing any more.
        case free
        case waiting
        /// Whoever owned the volume at the last look has written HEAD since.
        case renewed
    }

    /// HEAD as of the last look, and when it had been read first.
    private(set) var known: (stored: StoredHead, since: UInt64)?

    /// Looks are this far apart: several in a lease, and close enough for a take-over that nobody waits long for.
    static func pause(leaseNanoseconds: UInt64) -> UInt64 { min(leaseNanoseconds / 8, 1_000_000_000) }

    /// - Parameter now: after HEAD was read.
    mutating func see(_ stored: StoredHead, at now: UInt64) -> Finding {
        guard let known, known.stored == stored else {
            let wasRenewed = known.map { $0.stored.head.generation == stored.head.generation } ?? false
            known = (stored, now)
            if stored.head.cleanShutdown { return .free }
            return wasRenewed ? .renewed : .waiting
        }
        return stored.head.cleanShutdown || now >= known.since + stored.head.leaseNanoseconds ? .free : .waiting
    }

    /// Somebody else was quicker: the whole lease has to be waited for again.
    mutating func forget() { known = nil }

    /// When to look next; at the lease's end just then.
    func nextLook(after now: UInt64) -> UInt64 {
        guard let known else { return now + 1_000_000_000 }
        let lease = known.stored.head.leaseNanoseconds
        let usual = now + Self.pause(leaseNanoseconds: lease)
        let end = known.since + lease
        return end > now ? min(usual, end) : usual
    }

    /// For how long HEAD has stayed the same.
    func unchangedNanoseconds(at now: UInt64) -> UInt64? {
        known.map { now > $0.since ? now - $0.since : 0 }
    }
}

extension Head {
    var leaseNanoseconds: UInt64 { (leaseMilliseconds ?? 0) * 1_000_000 }
}
