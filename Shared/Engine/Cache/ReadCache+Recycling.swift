// SPDX-License-Identifier: Apache-2.0
import DequeModule

/// One region being emptied: its list is read, then the frames that go on, piece by piece.
struct Recycling {
    let region: Int
    /// What is still to be carried over, in the order of the file.
    var remaining: ArraySlice<CacheRegionFormat.Entry> = []
}

/// Making room, in the order of S3-FIFO.
extension ReadCache {
    /// Neighbouring frames are read together if no more than this lies between them.
    private static let largestGapByteCount = 64 << 10
    /// What is read, checked and copied in one go of the loop.
    private static let largestSpanByteCount = 256 << 10

    /// Frames that the index may still take when recycling begins: as many as two regions could bring.
    private var indexMargin: Int {
        min(index.limit / 8, 2 * CacheRegionFormat.entryLimit(regionByteCount: limits.regionByteCount))
    }
    private var isIndexShort: Bool { index.count + indexMargin >= index.limit }

    /// Why another frame could not be kept now without anything having to go; nil: it could.
    var refusalToWarm: WarmedFrame? {
        if directories.isEmpty { return .notInUse }
        guard free.count > limits.reservedRegionCount, !isIndexShort else {
            return directories.values.contains { $0.isOpening } ? .busy : .noRoom
        }
        let isWriting = mainWriter.map { regions[$0.region].chunks.count >= limits.chunksInFlight } ?? false
        return isWriting ? .busy : nil
    }

    func recycleIfNeeded() {
        // A directory that is being looked into may bring free regions, and must not lose those it has.
        guard recycling == nil, !directories.values.contains(where: { $0.isOpening }) else { return }
        guard free.count < limits.reservedRegionCount || isIndexShort else { return }
        guard let victim = takeVictim() else {
            // Only what is being filled takes up the index.
            if index.isFull { finish() }
            return
        }
        if free.count >= limits.reservedRegionCount, !hasReportedFullIndex {
            hasReportedFullIndex = true
            append(.report(.indexFull(frames: index.count, byteCount: statistics.usedByteCount)))
        }
        recycling = Recycling(region: victim)
        regions[victim].state = .recycling
        let byteCount = CacheRegionFormat.largestTailByteCount(regionByteCount: limits.regionByteCount)
        read(victim, byteOffset: limits.regionByteCount - byteCount, byteCount: byteCount, .tail)
    }

    /// The oldest region of the queue that has more than its part; one that is still being written is not touched.
    private func takeVictim() -> Int? {
        let total = probation.count + main.count
        let allowed = max(1, total * limits.probationPercent / 100)
        let queues: [CacheQueue] =
            probation.count > allowed || main.isEmpty ? [.probation, .main] : [.main, .probation]
        for queue in queues {
            guard let oldest = queue == .main ? main.first : probation.first, regions[oldest].chunks.isEmpty else {
                continue
            }
            if queue == .main { main.removeFirst() } else { probation.removeFirst() }
            return oldest
        }
        return nil
    }

    func tailArrived(_ bytes: [UInt8], of number: Int) {
        guard recycling?.region == number else { return }
        let entries: [CacheRegionFormat.Entry]
        do throws(EngineError) {
            entries = try CacheRegionFormat.decodeTail(
                bytes, sequence: regions[number].sequence, regionByteCount: limits.regionByteCount)
        } catch {
            // Damaged, or found without a list after a crash: its frames go unnamed.
            if case .checksumMismatch = error { counters.damagedCount += 1 }
            counters.recycledCount += 1
            keptInARow = 0
            return drop([number], becoming: .free)
        }
        var used: [(entry: CacheRegionFormat.Entry, uses: Int)] = []
        var usedByteCount = 0
        for entry in entries {
            guard let uses = index.uses(of: entry.hash, at: location(of: entry, in: number)), uses > 0 else { continue }
            used.append((entry, uses))
            usedByteCount += entry.byteCount
        }
        if usedByteCount > limits.regionByteCount / 2, keptInARow < limits.keptInARow {
            // Copying would cost more than half of what it frees: it stays as it is, a little less used.
            for (entry, uses) in used { index.setUses(uses - 1, of: entry.hash, at: location(of: entry, in: number)) }
            keptInARow += 1
            counters.keptCount += 1
            recycling = nil
            return keep(number)
        }
        keptInARow = 0
        forgetUnused(entries, used, in: number)
        carryOn()
    }

    private func location(of entry: CacheRegionFormat.Entry, in number: Int) -> CacheLocation {
        CacheLocation(region: number, byteOffset: entry.byteOffset, byteCount: entry.byteCount)
    }

    /// Decides which frames go on: those in use, at most half a region of them, the most used first.
    private func forgetUnused(
        _ entries: [CacheRegionFormat.Entry], _ used: [(entry: CacheRegionFormat.Entry, uses: Int)], in number: Int
    ) {
        var carried: [CacheRegionFormat.Entry] = []
        var byteCount = 0
        for (entry, _) in used.sorted(by: { ($1.uses, $0.entry.byteOffset) < ($0.uses, $1.entry.byteOffset) }) {
            guard byteCount + entry.byteCount <= limits.regionByteCount / 2 else { break }
            byteCount += entry.byteCount
            carried.append(entry)
        }
        let offsets = Set(carried.map(\.byteOffset))
        let wasUsed = Set(used.map(\.entry.byteOffset))
        for entry in entries where !offsets.contains(entry.byteOffset) {
            guard index.remove(entry.hash, at: location(of: entry, in: number)) else { continue }
            if regions[number].queue == .probation || wasUsed.contains(entry.byteOffset) { ghosts.insert(entry.hash) }
        }
        carried.sort { $0.byteOffset < $1.byteOffset }
        recycling?.remaining = carried[...]
    }

    /// Reads the next piece, or ends the recycling.
    private func carryOn() {
        guard let recycling else { return }
        guard let first = recycling.remaining.first else {
            counters.recycledCount += 1
            self.recycling = nil
            regions[recycling.region].state = .leaving(.free)
            return settle(recycling.region)
        }
        var end = first.byteOffset
        let span = recycling.remaining.prefix { entry in
            let next = entry.byteOffset + entry.byteCount
            guard entry.byteOffset - end <= Self.largestGapByteCount,
                next - first.byteOffset <= Self.largestSpanByteCount
            else { return false }
            end = next
            return true
        }
        self.recycling?.remaining.removeFirst(span.count)
        read(
            recycling.region, byteOffset: first.byteOffset, byteCount: end - first.byteOffset,
            .span(Array(span), byteOffset: first.byteOffset))
    }

    func spanArrived(
        _ bytes: [UInt8], _ entries: [CacheRegionFormat.Entry], from byteOffset: Int, of number: Int, at now: UInt64
    ) {
        guard recycling?.region == number else { return }
        for entry in entries {
            let location = location(of: entry, in: number)
            // It may have been found damaged meanwhile.
            guard let uses = index.uses(of: entry.hash, at: location), index.remove(entry.hash, at: location) else {
                continue
            }
            let start = entry.byteOffset - byteOffset
            guard start + entry.byteCount <= bytes.count,
                let (header, range) = try? CachedFrameFormat.payload(
                    of: nil, in: bytes, from: start, isChecked: isChecked),
                header.frame.cacheHash == entry.hash || !isChecked
            else {
                counters.damagedCount += 1
                continue
            }
            counters.carriedByteCount += UInt64(entry.byteCount)
            let queue = regions[number].queue
            _ = store(
                header.frame, hash: entry.hash, payload: bytes, in: range, to: .main,
                uses: queue == .main ? uses - 1 : 0, isCarried: true, at: now)
        }
        carryOn()
    }
}
