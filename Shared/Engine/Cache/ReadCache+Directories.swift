// SPDX-License-Identifier: Apache-2.0
import DequeModule
import Platform

/// A directory as the cache knows it.
struct CacheDirectory {
    /// Its files are being looked at, and something is to be heard of them by then; regions that were not found yet may
    /// not be written.
    var openingDue: UInt64?
    var isOpening: Bool { openingDue != nil }
    /// It had no room for a region that it should have held.
    var isFull = false
    var errorCount = 0
    /// The most regions it may hold.
    var regionLimit: Int
    /// The numbers of those it has.
    var regions: Set<Int> = []
    /// Something of it was reported as damaged.
    var hasReportedDamage = false
}

/// Directories come, go and change their size while the cache is in use.
extension ReadCache {
    /// Its files are looked at first: `.open`.
    package func add(_ directory: CacheDirectoryID, regionLimit: Int, at now: UInt64) {
        precondition(directories[directory] == nil && regionLimit >= 0)
        directories[directory] = CacheDirectory(openingDue: now &+ limits.openNanoseconds, regionLimit: regionLimit)
        append(.open(directory))
    }

    /// Forgets everything in it at once.
    /// - Parameter isDiscarded: its files are removed, too; not if its disk is what is wrong with it.
    package func remove(_ directory: CacheDirectoryID, isDiscarded: Bool) {
        guard let removed = directories.removeValue(forKey: directory) else { return }
        drop(removed.regions, becoming: isDiscarded ? .discarded : .gone)
    }

    /// A smaller directory loses its oldest regions at once, a larger one has more room at once.
    package func resize(_ directory: CacheDirectoryID, regionLimit: Int) {
        guard let old = directories[directory] else { return }
        directories[directory]?.regionLimit = regionLimit
        directories[directory]?.isFull = false
        guard !old.isOpening else { return }
        let excess = old.regions.count - regionLimit
        if excess > 0 { shrink(directory, by: excess) } else { addFreeRegions(to: directory) }
        recycleIfNeeded()
    }

    private func shrink(_ directory: CacheDirectoryID, by excess: Int) {
        let mine = directories[directory]?.regions ?? []
        // What is empty goes first, then what is oldest; what is being filled or recycled goes last.
        var order = free.filter(mine.contains)
        for queue in [probation, main] { order += queue.filter(mine.contains) }
        order += mine.subtracting(order).sorted()
        drop(Set(order.prefix(excess)), becoming: .discarded)
    }

    // MARK: Opening

    func found(_ file: CacheFile, _ scan: CacheRegionScan, at now: UInt64) {
        guard var directory = directories[file.directory], directory.isOpening else { return }
        directory.openingDue = now &+ limits.openNanoseconds
        defer { directories[file.directory] = directory }
        switch scan {
        case .empty: break
        case .frames(let header, let entries):
            guard directory.regions.count < directory.regionLimit, index.count + entries.count <= index.limit,
                let number = addRegion(file)
            else { return append(.discard(file)) }
            directory.regions.insert(number)
            restore(header, entries, to: number)
            return
        case .damaged, .unreadable:
            guard !directory.hasReportedDamage else { break }
            directory.hasReportedDamage = true
            var reason = "it cannot be read"
            if case .damaged(let error) = scan { reason = "\(error)" }
            append(.report(.damagedRegion(file, reason: reason)))
        }
        guard directory.regions.count < directory.regionLimit, let number = addRegion(file) else {
            return append(.discard(file))
        }
        directory.regions.insert(number)
        regions[number].isMade = true
        free.append(number)
    }

    /// Takes the region's frames into the index. In the main queue they count as read once more, so that a scan right
    /// after a restart finds them as well defended as before.
    private func restore(_ header: CacheRegionFormat.Header, _ entries: [CacheRegionFormat.Entry], to number: Int) {
        regions[number].state = .full
        regions[number].isMade = true
        regions[number].queue = header.queue
        regions[number].sequence = header.sequence
        nextSequence = max(nextSequence, header.sequence + 1)
        for entry in entries {
            index.insert(
                entry.hash,
                at: CacheLocation(region: number, byteOffset: entry.byteOffset, byteCount: entry.byteCount),
                uses: header.queue == .main ? 1 : 0)
        }
        regions[number].usedByteCount = entries.last.map { $0.byteOffset + $0.byteCount } ?? 0
        if header.queue == .main { insert(number, into: &main) } else { insert(number, into: &probation) }
    }

    /// Regions are found in no particular order, and queued by age.
    private func insert(_ number: Int, into queue: inout Deque<Int>) {
        let place = queue.firstIndex { regions[$0].sequence > regions[number].sequence } ?? queue.endIndex
        queue.insert(number, at: place)
    }

    func opened(_ directory: CacheDirectoryID, _ result: Result<Void, CacheDirectoryFailure>) {
        guard let known = directories[directory] else { return }
        if case .failure(let error) = result {
            return turnOff(directory, "\(error)")
        }
        directories[directory]?.openingDue = nil
        addFreeRegions(to: directory)
        let used = known.regions.reduce(UInt64(0)) { $0 + UInt64(regions[$1].usedByteCount) }
        append(.report(.opened(directory, frames: index.count, byteCount: used)))
    }

    var nextOpeningDue: UInt64? { directories.values.lazy.compactMap(\.openingDue).min() }

    /// A disk that hangs must not keep the other directories from making room.
    func giveUpOpening(at now: UInt64) {
        guard let due = nextOpeningDue, due <= now else { return }
        let late = directories.filter { $0.value.openingDue.map { $0 <= now } ?? false }.keys
        for directory in late.sorted() {
            turnOff(directory, "no answer from it within \(limits.openNanoseconds / 1_000_000_000) s")
        }
        recycleIfNeeded()
    }

    /// Files that are not there yet, up to the directory's limit; all directories' in turn.
    private func addFreeRegions(to directory: CacheDirectoryID) {
        guard let known = directories[directory] else { return }
        let taken = Set(known.regions.map { regions[$0].file.number })
        var number: UInt32 = 0
        var missing = known.regionLimit - known.regions.count
        var added: [Int] = []
        while missing > 0 {
            if !taken.contains(number) {
                guard let region = addRegion(CacheFile(directory: directory, number: number)) else { break }
                directories[directory]?.regions.insert(region)
                added.append(region)
                missing -= 1
            }
            number += 1
        }
        // One of the others, one of these.
        var mixed: [Int] = []
        let others = Array(free)
        for place in 0..<max(others.count, added.count) {
            if place < others.count { mixed.append(others[place]) }
            if place < added.count { mixed.append(added[place]) }
        }
        free.removeAll(keepingCapacity: true)
        free.append(contentsOf: mixed)
    }

    private func addRegion(_ file: CacheFile) -> Int? {
        if let number = vacant.popLast() {
            regions[number] = CacheRegion(file: file)
            return number
        }
        guard regions.count <= CacheIndex.largestRegionNumber else { return nil }
        regions.append(CacheRegion(file: file))
        return regions.count - 1
    }
}

/// A directory for people.
package struct CacheDirectoryStatus: Equatable, Sendable {
    package var isOpening: Bool
    package var byteCount: UInt64
    package var usedByteCount: UInt64
    package var errorCount: Int
}

extension ReadCache {
    /// nil for one that is not used (any more).
    package func status(of directory: CacheDirectoryID) -> CacheDirectoryStatus? {
        directories[directory].map { known in
            CacheDirectoryStatus(
                isOpening: known.isOpening, byteCount: UInt64(known.regionLimit * limits.regionByteCount),
                usedByteCount: known.regions.reduce(0) { $0 + UInt64(regions[$1].usedByteCount) },
                errorCount: known.errorCount)
        }
    }
}
