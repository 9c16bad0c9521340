// SPDX-License-Identifier: Apache-2.0
import DequeModule
import Platform

/// Filling regions, and what happens to them when the disk fails.
extension ReadCache {
    // MARK: Writing

    func writer(_ queue: CacheQueue) -> RegionWriter? { queue == .main ? mainWriter : probationWriter }

    private func update(_ queue: CacheQueue, _ change: (inout RegionWriter?) -> Void) {
        if queue == .main { change(&mainWriter) } else { change(&probationWriter) }
    }

    /// Puts a frame into the region that is being filled.
    /// - Parameter isCarried: it comes from a region that is being recycled, and may use what is kept free for that.
    /// - Returns: false if there is no room for it now.
    func store(
        _ frame: FrameReference, hash: UInt64, payload bytes: [UInt8], in range: Range<Int>, to queue: CacheQueue,
        uses: Int, isCarried: Bool = false, at now: UInt64
    ) -> Bool {
        let byteCount = CachedFrameFormat.byteCount(payloadByteCount: range.count)
        let due = now &+ limits.flushNanoseconds
        guard !index.isFull, makeRoom(for: byteCount, in: queue, isCarried: isCarried, flushAt: due) else {
            if !directories.isEmpty { counters.refusedCount += 1 }
            return false
        }
        var place: (byteOffset: Int, byteCount: Int)?
        var number = 0
        update(queue) { writer in
            number = writer?.region ?? 0
            place = writer?.append(frame, hash: hash, payload: bytes, in: range, limits: limits, flushAt: due)
        }
        guard let place else { return false }
        regions[number].usedByteCount = place.byteOffset + place.byteCount
        index.insert(
            hash, at: CacheLocation(region: number, byteOffset: place.byteOffset, byteCount: place.byteCount),
            uses: uses)
        counters.storedCount += 1
        counters.storedByteCount += UInt64(range.count)
        recycleIfNeeded()
        return true
    }

    /// A writer with room for the frame, and with a buffer that has.
    private func makeRoom(for byteCount: Int, in queue: CacheQueue, isCarried: Bool, flushAt due: UInt64) -> Bool {
        if let writer = writer(queue), !writer.hasRoom(for: byteCount, in: limits) { seal(queue) }
        if writer(queue) == nil {
            // The last ones are for what is carried over, without which nothing would become free.
            guard free.count > (isCarried ? 0 : 1), let number = free.popFirst() else { return false }
            begin(number, queue, flushAt: due)
        }
        guard let writer = writer(queue) else { return false }
        guard isCarried || regions[writer.region].chunks.count < limits.chunksInFlight else { return false }
        if !writer.bufferHasRoom(for: byteCount) { flush(queue) }
        return true
    }

    private func begin(_ number: Int, _ queue: CacheQueue, flushAt due: UInt64) {
        regions[number].state = .open
        regions[number].queue = queue
        regions[number].sequence = nextSequence
        regions[number].usedByteCount = CacheRegionFormat.headerByteCount
        let header = CacheRegionFormat.Header(queue: queue, sequence: nextSequence)
        var writer = RegionWriter(region: number, sequence: nextSequence)
        nextSequence += 1
        writer.begin(
            header: CacheRegionFormat.encode(header, regionByteCount: limits.regionByteCount), limits: limits,
            flushAt: due)
        update(queue) { $0 = writer }
    }

    /// Sends what was collected to the disk.
    func flush(_ queue: CacheQueue) {
        let token = nextToken()
        var chunk: CacheRegion.Chunk?
        update(queue) { chunk = $0?.takeChunk(token) }
        guard let chunk, let number = writer(queue)?.region else { return }
        write(chunk, to: number)
    }

    private func write(_ chunk: CacheRegion.Chunk, to number: Int) {
        regions[number].chunks.append(chunk)
        writes[chunk.token] = number
        append(
            .write(
                chunk.token, regions[number].file, byteOffset: chunk.byteOffset, chunk.buffer,
                byteCount: chunk.byteCount))
    }

    private func write(_ bytes: [UInt8], at byteOffset: Int, to number: Int) {
        let chunk = CacheRegion.Chunk(
            token: nextToken(), buffer: IOBuffer(bytes), byteOffset: byteOffset, byteCount: bytes.count)
        write(chunk, to: number)
    }

    /// Ends the region that is being filled with the list of its frames.
    func seal(_ queue: CacheQueue) {
        flush(queue)
        guard let writer = writer(queue) else { return }
        let tail = CacheRegionFormat.encodeTail(writer.entries, sequence: writer.sequence)
        write(tail, at: limits.regionByteCount - tail.count, to: writer.region)
        regions[writer.region].state = .full
        if queue == .main { main.append(writer.region) } else { probation.append(writer.region) }
        update(queue) { $0 = nil }
    }

    /// The region belongs to the main queue from now on, as if it had just been filled.
    func keep(_ number: Int) {
        regions[number].state = .full
        main.append(number)
        guard regions[number].queue == .probation else { return }
        regions[number].queue = .main
        let header = CacheRegionFormat.Header(queue: .main, sequence: regions[number].sequence)
        write(CacheRegionFormat.encode(header, regionByteCount: limits.regionByteCount), at: 0, to: number)
    }

    func written(_ token: CacheToken, _ result: Result<Void, SystemError>) {
        guard let number = writes.removeValue(forKey: token) else { return }
        regions[number].chunks.removeAll { $0.token == token }
        switch result {
        case .success: regions[number].isMade = true
        case .failure(let error):
            counters.failedWriteCount += 1
            failed(number, error)
        }
        settle(number)
    }

    /// A frame whose bytes are still in memory.
    func unwrittenBytes(at location: CacheLocation) -> [UInt8]? {
        for writer in [probationWriter, mainWriter] {
            if let writer, writer.region == location.region,
                let bytes = writer.bytes(at: location.byteOffset, location.byteCount)
            {
                return bytes
            }
        }
        for chunk in regions[location.region].chunks {
            if let bytes = chunk.bytes(at: location.byteOffset, location.byteCount) { return bytes }
        }
        return nil
    }

    // MARK: Failing

    /// The disk did not do what was asked with the region: nothing in it is believed any more.
    func failed(_ number: Int, _ error: SystemError) {
        let directory = regions[number].file.directory
        let isCurrent =
            switch regions[number].state {
            case .open, .full, .recycling: true
            case .free, .leaving, .gone: false
            }
        if error.isOutOfSpace {
            // Less than was configured, but no reason to give up what is there.
            let unmade = free.filter { regions[$0].file.directory == directory && !regions[$0].isMade }
            drop(Set(unmade + (isCurrent ? [number] : [])), becoming: .discarded)
            guard directories[directory]?.isFull == false else { return }
            directories[directory]?.isFull = true
            return append(.report(.outOfSpace(directory)))
        }
        if isCurrent { drop([number], becoming: .free) }
        blame(directory, "\(error)")
    }

    func blame(_ directory: CacheDirectoryID, _ reason: String) {
        guard directories[directory] != nil else { return }
        directories[directory]?.errorCount += 1
        guard let count = directories[directory]?.errorCount, count >= limits.errorLimit else { return }
        turnOff(directory, reason)
    }

    func turnOff(_ directory: CacheDirectoryID, _ reason: String) {
        append(.report(.directoryOff(directory, reason: reason)))
        remove(directory, isDiscarded: false)
    }

    /// Forgets all frames in the regions.
    func drop(_ numbers: Set<Int>, becoming fate: CacheRegion.Fate) {
        guard !numbers.isEmpty else { return }
        index.removeAll(in: numbers)
        free.removeAll(where: numbers.contains)
        probation.removeAll(where: numbers.contains)
        main.removeAll(where: numbers.contains)
        if let writer = probationWriter, numbers.contains(writer.region) { probationWriter = nil }
        if let writer = mainWriter, numbers.contains(writer.region) { mainWriter = nil }
        if let region = recycling?.region, numbers.contains(region) { recycling = nil }
        for number in numbers.sorted() {
            regions[number].state = .leaving(fate)
            settle(number)
        }
    }

    /// A region that nothing uses any more becomes free, or its number does.
    func settle(_ number: Int) {
        guard case .leaving(let fate) = regions[number].state, regions[number].isIdle else { return }
        regions[number].usedByteCount = 0
        guard fate != .free else {
            regions[number].state = .free
            return free.append(number)
        }
        let file = regions[number].file
        regions[number].state = .gone
        directories[file.directory]?.regions.remove(number)
        vacant.append(number)
        if fate == .discarded { append(.discard(file)) }
    }
}
