// SPDX-License-Identifier: Apache-2.0
import DequeModule
import Platform
import Wire

/// Frames on their way to those who wait, from the disk or from the bucket.
extension ReadCache {
    var isChecked: Bool { !mutants.contains(.skipCacheChecksum) }

    // MARK: From the disk

    func didRead(_ token: CacheToken, _ result: Result<[UInt8], SystemError>, at now: UInt64) {
        guard let read = reads.removeValue(forKey: token) else { return }
        while let first = readDeadlines.first, reads[first.token] == nil { readDeadlines.removeFirst() }
        regions[read.region].readerCount -= 1
        defer { settle(read.region) }
        switch (read.purpose, result) {
        case (.frame(let frame, let location), .success(let bytes)):
            // Somebody who waited too long has gone to the bucket.
            guard flights[frame]?.stage == .reading(token) else { return }
            finishRead(of: frame, at: location, bytes)
        case (.frame(let frame, _), .failure(let error)):
            counters.failedReadCount += 1
            failed(read.region, error)
            if flights[frame]?.stage == .reading(token) { fetch(frame) }
        case (.tail, .success(let bytes)): tailArrived(bytes, of: read.region)
        case (.span(let entries, let byteOffset), .success(let bytes)):
            spanArrived(bytes, entries, from: byteOffset, of: read.region, at: now)
        case (.tail, .failure(let error)), (.span, .failure(let error)):
            counters.failedReadCount += 1
            failed(read.region, error)
        }
    }

    /// The bytes of one frame are there: they are the frame, or it is fetched after all.
    func finishRead(of frame: FrameReference, at location: CacheLocation, _ bytes: [UInt8]) {
        do throws(EngineError) {
            let (_, range) = try CachedFrameFormat.payload(of: frame, in: bytes, isChecked: isChecked)
            if let node = flights[frame]?.node {
                let bytes = Array(bytes[range])
                try check(bytes, node)
                counters.nodeHitCount += 1
                return answer(node, .success(bytes), from: .cache)
            }
            let contents = try FrameContents(decoding: bytes, in: range, isChecked: isChecked)
            counters.hitCount += 1
            counters.hitByteCount += UInt64(contents.bytes.count)
            answer(frame, .success(contents), from: .cache)
        } catch {
            // Unless its region was recycled under the reader, when another's bytes are no damage.
            if index.remove(frame.cacheHash, at: location) { counters.damagedCount += 1 }
            fetch(frame)
        }
    }

    private func check(_ bytes: [UInt8], _ node: NodePointer) throws(EngineError) {
        if isChecked { try expectChecksum(.mapNode, node.checksum, found: CRC32C.checksum(bytes)) }
    }

    /// The disk takes too long.
    func giveUpWaiting(_ token: CacheToken) {
        guard let read = reads[token], case .frame(let frame, let location) = read.purpose,
            flights[frame]?.stage == .reading(token)
        else { return }
        counters.lateReadCount += 1
        fetch(frame)
        blame(regions[location.region].file.directory, "a read took too long")
    }

    /// What the disk does not have.
    func fetch(_ frame: FrameReference) {
        guard let flight = flights[frame] else { return }
        flights[frame]?.stage = .fetching
        if let node = flight.node {
            counters.nodeMissCount += 1
            append(.fetchNode(node, flight.urgency))
        } else {
            counters.missCount += 1
            append(.fetch(frame, flight.urgency))
        }
    }

    // MARK: From the bucket

    func fetched(_ frame: FrameReference, _ result: Result<[UInt8], BucketFailure>, at now: UInt64) {
        guard let flight = flights[frame], flight.stage == .fetching else { return }
        if let node = flight.node { return fetched(node, result, at: now) }
        switch result {
        case .failure(let failure): answer(frame, .failure(failure), from: .bucket)
        case .success(let payload):
            do throws(EngineError) {
                let contents = try FrameContents(decoding: payload)
                let isKept = keep(frame, payload, isWarm: flight.waiters.isEmpty && !flight.warmers.isEmpty, at: now)
                answer(frame, .success(contents), from: .bucket, isKept: isKept)
            } catch {
                answer(frame, .failure(.corrupt("frame: \(error)")), from: .bucket)
            }
        }
    }

    private func fetched(_ node: NodePointer, _ result: Result<[UInt8], BucketFailure>, at now: UInt64) {
        var result = result
        if case .success(let bytes) = result {
            do throws(EngineError) {
                try check(bytes, node)
                keep(node, bytes, in: 0..<bytes.count, at: now)
            } catch {
                result = .failure(.corrupt("map node: \(error)"))
            }
        }
        answer(node, result, from: .bucket)
    }

    /// Nodes of a map pack that was just stored.
    package func keep(_ nodes: [NodePointer], of bytes: [UInt8], at now: UInt64) {
        for node in nodes {
            let start = Int(node.byteOffset)
            keep(node, bytes, in: start..<start + Int(node.byteCount), at: now)
        }
    }

    /// A node leads to thousands of frames: it is given up last.
    private func keep(_ node: NodePointer, _ bytes: [UInt8], in range: Range<Int>, at now: UInt64) {
        let hash = node.cacheKey.cacheHash
        guard range.count <= CachedFrameFormat.largestPayloadByteCount, index.location(of: hash) == nil else { return }
        _ = store(
            node.cacheKey, hash: hash, payload: bytes, in: range, to: .main, uses: CacheIndex.mostUses, at: now)
    }

    private func answer(_ node: NodePointer, _ result: Result<[UInt8], BucketFailure>, from source: FrameSource) {
        for waiter in flights.removeValue(forKey: node.cacheKey)?.waiters ?? [] {
            append(.answerNode(waiter, result, from: source))
        }
    }

    private func keep(_ frame: FrameReference, _ payload: [UInt8], isWarm: Bool, at now: UInt64) -> Bool {
        guard payload.count <= CachedFrameFormat.largestPayloadByteCount else { return false }
        let hash = frame.cacheHash
        // What comes back has been wanted twice; what a person wants to have there counts as such.
        let queue: CacheQueue = ghosts.remove(hash) || isWarm ? .main : .probation
        return store(frame, hash: hash, payload: payload, in: 0..<payload.count, to: queue, uses: 0, at: now)
    }

    private func answer(
        _ frame: FrameReference, _ result: Result<FrameContents, BucketFailure>, from source: FrameSource,
        isKept: Bool = true
    ) {
        guard let flight = flights.removeValue(forKey: frame) else { return }
        for waiter in flight.waiters { append(.answer(waiter, result, from: source)) }
        let warmed = result.map { contents -> WarmedFrame in
            if source == .cache { return .present }
            return isKept ? .stored(byteCount: contents.bytes.count) : refusalToWarm ?? .busy
        }
        for warmer in flight.warmers { append(.warmed(warmer, warmed)) }
    }
}
