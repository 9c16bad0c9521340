// SPDX-License-Identifier: Apache-2.0
import DequeModule
import Wire

/// Fetching frames before anybody asks for them. Bounded in flight, and behind everything that somebody waits for.
extension Volume {
    /// A command has read these blocks.
    func lookAhead(of blocks: BlockRange) {
        if let ahead = prefetch.note(blocks, limits: limits) { lookAhead(at: ahead) }
    }

    /// PRE-FETCH: as much of it as a fast reader would be given ahead, so that no command empties the caches.
    func prefetch(_ sectors: SectorRange, for origin: RequestOrigin) {
        let blocks = sectors.blocks
        lookAhead(at: BlockRange(start: blocks.start, count: min(blocks.count, limits.prefetchBlockCount)))
        reply(origin, .good)
    }

    private func lookAhead(at range: BlockRange) {
        let end = min(range.end, BlockIndex(byteCount / UInt64(Geometry.blockByteCount)))
        guard range.start < end else { return }
        // Readers that are faster than the bucket: what they have passed is of no use.
        if prefetch.waiting.count > 4 * limits.prefetchStreamCount { prefetch.waiting.removeFirst() }
        prefetch.waiting.append(BlockRange(range.start, upTo: end))
        pumpPrefetch()
    }

    func pumpPrefetch() {
        guard !prefetch.waiting.isEmpty, prefetch.nodes.isEmpty, phase == .serving, map.missingDirectories.isEmpty
        else { return }
        while prefetch.tokens.count < limits.prefetchFrameCount, let next = prefetch.waiting.popFirst() {
            // As much as the frames in flight may cover, the rest later.
            let part = BlockRange(start: next.start, count: min(next.count, 64))
            if part.count < next.count { prefetch.waiting.prepend(BlockRange(part.end, upTo: next.end)) }
            for run in runsInBucket(of: part) {
                // A damaged node is left to a reader, who has somebody to tell.
                guard let missing = try? frames(of: run, { self.prefetch(frame: $0) }) else { continue }
                // One round trip for all that the reader needs next, not one after the other.
                let rest = BlockRange(run.start, upTo: next.end)
                prefetch.nodes = missing.union((try? frames(of: rest, { _ in })) ?? [])
                if part.count < next.count { prefetch.waiting.removeFirst() }
                prefetch.waiting.prepend(rest)
                return fetchAhead(prefetch.nodes)
            }
        }
    }

    private func prefetch(frame: FrameReference) {
        guard fetches.frames[frame] == nil, !frames.holds(frame), prefetch.frames.insert(frame).inserted else { return }
        let token = effects.nextToken()
        prefetch.tokens[token] = frame
        effects.append(.getFrame(token, frame, .background))
    }

    func prefetched(
        _ token: EffectToken, _ result: Result<FrameContents, BucketFailure>, from source: FrameSource
    ) {
        guard let frame = prefetch.tokens.removeValue(forKey: token) else { return }
        prefetch.frames.remove(frame)
        switch result {
        case .success(let contents):
            frames.insert(contents, of: frame)
            guard source == .bucket else { return }
            statisticsCounters.downloadedByteCount += UInt64(frame.byteCount)
            statisticsCounters.prefetchedByteCount += UInt64(contents.bytes.count)
        case .failure:
            // Whoever reads it will ask again, and has somebody to tell.
            prefetch.waiting.removeAll()
        }
    }

    // MARK: For whoever looks ahead

    /// The parts of a range that only the committed map knows.
    func runsInBucket(of range: BlockRange) -> [BlockRange] {
        var runs: [BlockRange] = []
        for offset in 0..<range.count {
            let block = range.start.advanced(by: offset)
            guard !isInJournal(block) else { continue }
            if let last = runs.last, last.end == block {
                runs[runs.count - 1].count += 1
            } else {
                runs.append(BlockRange(start: block, count: 1))
            }
        }
        return runs
    }

    private func isInJournal(_ block: BlockIndex) -> Bool {
        func holds(_ layer: DirtyLayer) -> Bool {
            if case .miss = layer.lookup(block) { return false }
            return true
        }
        if holds(active) || frozen.contains(where: holds) { return true }
        guard let entry = clean[block] else { return false }
        return entry.segment >= journal.store.oldestID
    }

    /// Calls `use` for the frames of a run, or answers the map nodes that are missing.
    func frames(
        of run: BlockRange, _ use: (FrameReference) -> Void
    ) throws(EngineError) -> Set<NodePointer>? {
        var extents: [CommittedExtent] = []
        let missing = try map.resolve(run, into: &extents)
        guard missing.isEmpty else { return Set(missing) }
        var last: FrameReference?
        for case .frame(let frame, _) in extents.map(\.source) where frame != last {
            last = frame
            use(frame)
        }
        return nil
    }

    func fetchAhead(_ nodes: Set<NodePointer>) {
        for node in nodes.sorted(by: { ($0.pack, $0.byteOffset) < ($1.pack, $1.byteOffset) })
        where fetches.nodes[node] == nil {
            fetches.nodes[node] = []
            fetch(.node(node))
        }
    }

    /// A map node that only those who look ahead wanted cannot be had.
    func cannotLookAhead(_ node: NodePointer, _ error: any Error) {
        if upperLevels.nodes.contains(node) { upperLevels = UpperLevels(left: 0) }
        if prefetch.nodes.contains(node) {
            prefetch.nodes = []
            prefetch.waiting = []
        }
        if warming?.nodes.contains(node) == true { stopWarming(.stopped("a map node cannot be had: \(error)")) }
    }
}
