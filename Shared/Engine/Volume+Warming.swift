// SPDX-License-Identifier: Apache-2.0
package import Wire

/// A walk through the committed image that puts its frames into the read cache. It waits out what may pass by itself.
struct Warming {
    var progress: WarmingProgress
    /// What is still to be looked up.
    var remaining: BlockRange
    /// Frames that are wanted, on their way or tried again later, and how often in a row each could not be had.
    var frames: [FrameReference: Int] = [:]
    var tokens: [EffectToken: FrameReference] = [:]
    var nodes: Set<NodePointer> = []
    /// Frames of scattered blocks come up again and again: those of the last leaves.
    var recent: Set<FrameReference> = []
    /// Frames that the bucket did not give however often it was asked, and parts of the volume whose map is damaged;
    /// what is wrong with the last one.
    var lostCount = 0
    var lossReason = ""
}

extension Volume {
    /// Fetches what the cache lacks of a range of the committed image, behind everything that somebody waits for.
    /// Progress is in `statistics.warming`. In place of a walk that is under way.
    package func warm(_ range: BlockRange) {
        let end = min(range.end, BlockIndex(byteCount / UInt64(Geometry.blockByteCount)))
        let part = BlockRange(min(range.start, end), upTo: end)
        warming = Warming(progress: WarmingProgress(blockCount: part.count), remaining: part)
        pumpWarming()
    }

    package func cancelWarming() { stopWarming(.cancelled) }

    func stopWarming(_ state: WarmingProgress.State) {
        guard warming?.progress.state == .running else { return }
        warming?.progress.state = state
        warming?.progress.delayReason = nil
        warming?.remaining.count = 0
        warming?.nodes = []
        warming?.frames = [:]
        warming?.tokens = [:]
        warming?.recent = []
    }

    func pumpWarming() {
        guard warming?.progress.state == .running, phase == .serving, map.missingDirectories.isEmpty else { return }
        while let walk = warming, walk.nodes.isEmpty, walk.frames.count < limits.warmFrameCount, !walk.remaining.isEmpty
        {
            // Up to a leaf at a time, so that ranges that were never written cost nothing.
            let leafEnd = MapGeometry.firstBlock(ofLeaf: MapGeometry.leaf(of: walk.remaining.start) + 1)
            let part = BlockRange(walk.remaining.start, upTo: min(walk.remaining.end, leafEnd))
            if walk.recent.count > 8 * Geometry.blocksPerLeaf { warming?.recent.removeAll(keepingCapacity: true) }
            do throws(EngineError) {
                if let missing = try frames(of: part, { self.warm(frame: $0) }) {
                    warming?.nodes = missing
                    return fetchAhead(missing)
                }
            } catch {
                lost("a map node: \(error)")
            }
            warming?.remaining = BlockRange(part.end, upTo: walk.remaining.end)
            warming?.progress.doneBlockCount += part.count
        }
        guard let walk = warming, walk.remaining.isEmpty, walk.frames.isEmpty else { return }
        guard walk.lostCount > 0 else { return stopWarming(.finished) }
        stopWarming(
            .stopped("\(walk.lostCount) frames or map nodes cannot be had; the last one: \(walk.lossReason)"))
    }

    private func warm(frame: FrameReference) {
        guard warming?.recent.insert(frame).inserted == true else { return }
        warming?.frames[frame] = 0
        askForWarm(frame)
    }

    /// Unless the walk has ended, or asked for it itself meanwhile.
    func warmAgain(_ frame: FrameReference) {
        guard let walk = warming, walk.frames[frame] != nil, !walk.tokens.values.contains(frame) else { return }
        askForWarm(frame)
    }

    private func askForWarm(_ frame: FrameReference) {
        let token = effects.nextToken()
        warming?.tokens[token] = frame
        effects.append(.warmFrame(token, frame))
    }

    func frameWarmed(_ token: EffectToken, _ result: Result<WarmedFrame, BucketFailure>, at time: EngineTime) {
        guard let frame = warming?.tokens.removeValue(forKey: token) else { return }
        switch result {
        case .success(.present):
            warming?.progress.presentFrameCount += 1
            isDone(frame)
        case .success(.stored(let byteCount)):
            warming?.progress.fetchedFrameCount += 1
            warming?.progress.fetchedByteCount += UInt64(byteCount)
            statisticsCounters.downloadedByteCount += UInt64(frame.byteCount)
            isDone(frame)
        case .success(.noRoom):
            stopWarming(.stopped("the cache is full; what is in it already was not given up for more"))
        case .success(.notInUse):
            stopWarming(.stopped("no cache directory is in use; `sluice cache list` shows them"))
        case .success(.busy):
            warmLater(frame, "the cache's directories are still being opened, or slower than the bucket", at: time)
        case .failure(let failure): didNotWarm(frame, failure, at: time)
        }
    }

    private func isDone(_ frame: FrameReference) {
        warming?.frames[frame] = nil
        warming?.progress.delayReason = nil
    }

    private func didNotWarm(_ frame: FrameReference, _ failure: BucketFailure, at time: EngineTime) {
        switch failure {
        case .unavailable, .ambiguous, .conflict, .preconditionFailed: break
        case .notFound, .corrupt:
            guard warming?.frames[frame, default: 0] ?? 0 >= limits.damageRetries else { break }
            isDone(frame)
            return lost("\(frame.key): \(failure)")
        // What one frame is refused for, all are.
        case .refused:
            guard warming?.frames[frame, default: 0] ?? 0 >= limits.damageRetries else { break }
            return stopWarming(.stopped("the bucket: \(failure)"))
        }
        warmLater(frame, "the bucket: \(failure)", at: time)
    }

    private func lost(_ reason: String) {
        warming?.lostCount += 1
        warming?.lossReason = reason
    }

    private func warmLater(_ frame: FrameReference, _ reason: String, at time: EngineTime) {
        let failures = warming?.frames[frame] ?? 0
        warming?.frames[frame] = failures + 1
        warming?.progress.delayReason = reason
        later(.warm(frame), after: backoff(failures), at: time)
    }
}
