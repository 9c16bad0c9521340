// SPDX-License-Identifier: Apache-2.0
package import Wire

/// A walk through the committed image that puts its frames into the read cache.
struct Warming {
    var progress: WarmingProgress
    /// What is still to be looked up.
    var remaining: BlockRange
    var tokens: [EffectToken: FrameReference] = [:]
    var nodes: Set<NodePointer> = []
    /// Frames of scattered blocks come up again and again: those of the last leaves.
    var recent: Set<FrameReference> = []
}

extension Volume {
    /// Fetches what the cache lacks of a range of the committed image, behind everything that somebody waits for.
    /// Progress is in `statistics.warming`. In place of a walk that is under way.
    package func warm(_ range: BlockRange) {
        let end = min(range.end, BlockIndex(head.byteCount / UInt64(Geometry.blockByteCount)))
        let part = BlockRange(min(range.start, end), upTo: end)
        warming = Warming(progress: WarmingProgress(blockCount: part.count), remaining: part)
        pumpWarming()
    }

    package func cancelWarming() { stopWarming(.cancelled) }

    func stopWarming(_ state: WarmingProgress.State) {
        guard warming?.progress.state == .running else { return }
        warming?.progress.state = state
        warming?.remaining.count = 0
        warming?.nodes = []
        warming?.tokens = [:]
        warming?.recent = []
    }

    func pumpWarming() {
        guard warming?.progress.state == .running, phase == .serving, map.missingDirectories.isEmpty else { return }
        while let walk = warming, walk.nodes.isEmpty, walk.tokens.count < limits.warmFrameCount, !walk.remaining.isEmpty
        {
            // Up to a leaf at a time, so that ranges that were never written cost nothing.
            let leafEnd = MapGeometry.firstBlock(ofLeaf: MapGeometry.leaf(of: walk.remaining.start) + 1)
            let part = BlockRange(walk.remaining.start, upTo: min(walk.remaining.end, leafEnd))
            if walk.recent.count > 8 * Geometry.blocksPerLeaf { warming?.recent.removeAll(keepingCapacity: true) }
            if let missing = frames(of: part, { self.warm(frame: $0) }) {
                warming?.nodes = missing
                return fetchAhead(missing)
            }
            warming?.remaining = BlockRange(part.end, upTo: walk.remaining.end)
            warming?.progress.doneBlockCount += part.count
        }
        if let walk = warming, walk.remaining.isEmpty, walk.tokens.isEmpty { stopWarming(.finished) }
    }

    private func warm(frame: FrameReference) {
        guard warming?.recent.insert(frame).inserted == true else { return }
        let token = effects.nextToken()
        warming?.tokens[token] = frame
        effects.append(.warmFrame(token, frame))
    }

    func frameWarmed(_ token: EffectToken, _ result: Result<WarmedFrame, BucketFailure>) {
        guard let frame = warming?.tokens.removeValue(forKey: token) else { return }
        switch result {
        case .success(.present): warming?.progress.presentFrameCount += 1
        case .success(.stored(let byteCount)):
            warming?.progress.fetchedFrameCount += 1
            warming?.progress.fetchedByteCount += UInt64(byteCount)
            statisticsCounters.downloadedByteCount += UInt64(frame.byteCount)
        case .success(.noRoom):
            stopWarming(.stopped("the cache is full; what is in it already was not given up for more"))
        case .failure(let failure): stopWarming(.stopped("the bucket: \(failure)"))
        }
    }
}
