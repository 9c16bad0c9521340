// SPDX-License-Identifier: Apache-2.0
import DequeModule
import Platform

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
            if flights[frame]?.stage == .reading(token) { fetchInstead(frame) }
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
            let contents = try FrameContents(decoding: bytes, in: range, isChecked: isChecked)
            counters.hitCount += 1
            counters.hitByteCount += UInt64(contents.bytes.count)
            answer(frame, .success(contents), from: .cache)
        } catch {
            // Unless its region was recycled under the reader, when another's bytes are no damage.
            if index.remove(frame.cacheHash, at: location) { counters.damagedCount += 1 }
            fetchInstead(frame)
        }
    }

    /// The disk takes too long.
    func giveUpWaiting(_ token: CacheToken) {
        guard let read = reads[token], case .frame(let frame, let location) = read.purpose,
            flights[frame]?.stage == .reading(token)
        else { return }
        counters.lateReadCount += 1
        fetchInstead(frame)
        blame(regions[location.region].file.directory, "a read took too long")
    }

    private func fetchInstead(_ frame: FrameReference) {
        guard let urgency = flights[frame]?.urgency else { return }
        counters.missCount += 1
        flights[frame]?.stage = .fetching
        append(.fetch(frame, urgency))
    }

    // MARK: From the bucket

    func fetched(_ frame: FrameReference, _ result: Result<[UInt8], BucketFailure>, at now: UInt64) {
        guard let flight = flights[frame], flight.stage == .fetching else { return }
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
            return isKept ? .stored(byteCount: contents.bytes.count) : .noRoom
        }
        for warmer in flight.warmers { append(.warmed(warmer, warmed)) }
    }
}
