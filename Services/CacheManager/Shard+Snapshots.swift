// SPDX-License-Identifier: Apache-2.0
import Engine
import Wire

/// What snapshots ask of the engines.
extension Shard {
    /// Freezes the volume now. Several calls in one turn cut at one instant: nothing is answered in between.
    func cut(_ hosted: HostedVolume) throws(CutRefusal) -> (CallerToken, CutPoint) {
        guard let engine = hosted.engine else { throw .failed(.stopped) }
        let caller = CallerToken(rawValue: drawNumber())
        defer {
            touch(hosted)
            if hosted.releasesWritesAfterCut { releaseWrites(of: hosted) }
        }
        endBatch(hosted)
        return (caller, try engine.cut(caller: caller, at: now))
    }

    func holdWrites(of hosted: HostedVolume, until nanoseconds: UInt64) {
        // What came before goes on.
        endBatch(hosted)
        hosted.engine?.holdWrites(until: nanoseconds)
        touch(hosted)
    }

    func releaseWrites(of hosted: HostedVolume) {
        hosted.releasesWritesAfterCut = false
        hosted.engine?.releaseWrites(at: now)
        touch(hosted)
    }
}
