// SPDX-License-Identifier: Apache-2.0
import Engine
import Platform
import TestSupport
import Wire

/// The read cache of each gateway, between its volume and the bucket.
extension Simulation {
    /// A new life: what the last one left is found again, or is lost.
    func openCache(_ gateway: SimulatedGateway) {
        gateway.cache = ReadCache(limits: settings.cacheLimits, mutants: options.mutants)
        if random.oneIn(6), !gateway.cacheDisk.files.isEmpty {
            rare.add(.cacheLostAtRestart)
            gateway.cacheDisk.removeAll()
        }
        for (index, regionCount) in settings.cacheRegionCounts.enumerated() {
            gateway.cache.add(CacheDirectoryID(UInt32(index)), regionLimit: regionCount, at: engineTime.nanoseconds)
        }
    }

    func send(_ event: CacheEvent, to gateway: SimulatedGateway) throws(Violation) {
        gateway.cache.handle(event, at: engineTime.nanoseconds)
        try drain(gateway)
    }

    func perform(_ effect: CacheEffect, of gateway: SimulatedGateway) {
        switch effect {
        case .answer(let waiter, let result, let source):
            gateway.volume?.handle(.frame(waiter.token, result, from: source), at: engineTime)
        case .warmed(let waiter, let result):
            if case .success(.stored) = result { rare.add(.frameWarmed) }
            if case .success(.noRoom) = result { rare.add(.warmingStopped) }
            gateway.volume?.handle(.frameWarmed(waiter.token, result), at: engineTime)
        case .answerNode(let waiter, let result, let source):
            gateway.volume?.handle(.node(waiter.token, result, from: source), at: engineTime)
        case .fetchNode(let node, _):
            trace.line(now, "g\(gateway.index) get \(node.byteCount) bytes at \(node.byteOffset) of \(node.key)")
            begin(.getNode(node), EffectToken(rawValue: 0), gateway)
        case .fetch(let frame, _):
            trace.line(now, "g\(gateway.index) get frame at \(frame.byteOffset) of \(frame.key)")
            begin(.getFrame(frame), EffectToken(rawValue: 0), gateway)
        case .hasten: break
        case .open(let directory): begin(.open(directory), gateway)
        case .write(let token, let file, let byteOffset, let buffer, let byteCount):
            begin(.write(token, file, byteOffset: byteOffset, buffer, byteCount: byteCount), gateway)
        case .read(let token, let file, let byteOffset, let byteCount):
            if random.oneIn(settings.cacheFaults.late) {
                // It never ends in time.
                begin(.late(token), gateway, after: 20_000_000 + random.below(100_000_000))
            } else {
                begin(.read(token, file, byteOffset: byteOffset, byteCount: byteCount), gateway)
            }
        case .discard(let file): gateway.cacheDisk.remove(file)
        case .report(let report):
            trace.line(now, "g\(gateway.index) cache: \(report)")
            switch report {
            case .opened(_, let frames, _): if frames > 0 { rare.add(.cacheFoundAtRestart) }
            case .directoryOff: rare.add(.cacheDirectoryOff)
            case .indexFull: rare.add(.cacheIndexFull)
            case .damagedRegion, .outOfSpace: break
            }
        }
    }

    private func begin(
        _ operation: SimulatedCacheDisk.Operation, _ gateway: SimulatedGateway, after nanoseconds: Int? = nil
    ) {
        let number = gateway.nextOperation
        gateway.nextOperation += 1
        gateway.cacheOperations[number] = operation
        schedule(
            .cacheDisk(gateway: gateway.index, life: gateway.life, operation: number),
            after: nanoseconds ?? spread(settings.diskNanoseconds))
    }

    func completeCacheDisk(_ gateway: SimulatedGateway, _ number: Int) throws(Violation) {
        guard let operation = gateway.cacheOperations.removeValue(forKey: number) else { return }
        trace.note(12, UInt64(number), now)
        let faults = settings.cacheFaults
        let broken = SystemError(errorNumber: 5, call: "simulated")
        switch operation {
        case .open(let directory):
            for file in gateway.cacheDisk.numbers(of: directory) {
                let scan = CacheRegionScan.scan(regionByteCount: settings.cacheLimits.regionByteCount) {
                    gateway.cacheDisk.read(file, at: $0, byteCount: $1)
                }
                gateway.cache.handle(.found(file, scan), at: engineTime.nanoseconds)
            }
            try send(.opened(directory, .success(())), to: gateway)
        case .write(let token, let file, let byteOffset, let buffer, let byteCount):
            if random.oneIn(faults.write), !isDraining {
                return try send(.written(token, .failure(broken)), to: gateway)
            }
            if random.oneIn(faults.full), !isDraining {
                let full = SystemError(errorNumber: 28, call: "simulated")
                return try send(.written(token, .failure(full)), to: gateway)
            }
            put(buffer, byteCount, to: file, at: byteOffset, gateway)
            try send(.written(token, .success(())), to: gateway)
        case .read(let token, let file, let byteOffset, let byteCount):
            guard let bytes = gateway.cacheDisk.read(file, at: byteOffset, byteCount: byteCount),
                !random.oneIn(faults.read)
            else { return try send(.read(token, .failure(broken)), to: gateway) }
            try send(.read(token, .success(bytes)), to: gateway)
        case .late(let token): try send(.read(token, .failure(broken)), to: gateway)
        }
    }

    private func put(
        _ buffer: IOBuffer, _ byteCount: Int, to file: CacheFile, at byteOffset: Int, _ gateway: SimulatedGateway
    ) {
        gateway.cacheDisk.write(
            buffer.array(0..<byteCount), to: file, at: byteOffset,
            fileByteCount: settings.cacheLimits.regionByteCount)
        guard random.oneIn(settings.cacheFaults.rot) else { return }
        gateway.cacheDisk.rot(file, in: byteOffset..<byteOffset + byteCount, random: &random)
        trace.line(now, "g\(gateway.index) bit rot in the cache")
    }

    /// A write that was under way happened, wholly or in part or not at all.
    func interruptCache(_ gateway: SimulatedGateway, _ kind: Crash) {
        for number in gateway.cacheOperations.keys.sorted() {
            guard case .write(_, let file, let byteOffset, let buffer, let byteCount)? = gateway.cacheOperations[number]
            else { continue }
            let kept = [0, byteCount, random.below(byteCount + 1)][random.below(3)]
            if kept > 0 { put(buffer, kept, to: file, at: byteOffset, gateway) }
        }
        if kind == .power { gateway.cacheDisk.losePower(random: &random) }
    }

    // MARK: What people do

    func warm(_ gateway: SimulatedGateway) {
        guard let volume = gateway.volume else { return }
        if random.oneIn(4) { return volume.cancelWarming() }
        let blockCount = settings.leafCount * Geometry.blocksPerLeaf
        let start = random.below(blockCount)
        volume.warm(BlockRange(start: BlockIndex(UInt64(start)), count: UInt64(1 + random.below(blockCount))))
    }

    /// A directory goes, comes back, or changes its size.
    func changeCache(_ gateway: SimulatedGateway) {
        guard gateway.volume != nil, !settings.cacheRegionCounts.isEmpty else { return }
        let index = random.below(settings.cacheRegionCounts.count)
        let directory = CacheDirectoryID(UInt32(index))
        if gateway.cache.status(of: directory) == nil {
            // Off or removed: another one in its place, with what was left there.
            gateway.cache.add(
                directory, regionLimit: settings.cacheRegionCounts[index], at: engineTime.nanoseconds)
        } else if random.oneIn(2) {
            rare.add(.cacheDirectoryRemoved)
            gateway.cache.remove(directory, isDiscarded: random.oneIn(2))
        } else {
            rare.add(.cacheResized)
            gateway.cache.resize(directory, regionLimit: 3 + random.below(settings.cacheRegionCounts[index]))
        }
    }

    func noteCache(_ gateway: SimulatedGateway) {
        let statistics = gateway.cache.statistics
        let events: [(UInt64, RareEvent)] = [
            (statistics.hitCount, .cacheHit), (statistics.nodeHitCount, .cachedNodeHit),
            (statistics.joinedCount, .cacheJoined),
            (statistics.damagedCount, .cacheRotFound), (statistics.failedReadCount, .cacheReadFailed),
            (statistics.lateReadCount, .cacheReadLate), (statistics.failedWriteCount, .cacheWriteFailed),
            (statistics.recycledCount, .cacheRegionRecycled), (statistics.keptCount, .cacheRegionKept),
            (statistics.carriedByteCount, .cacheFrameCarried),
        ]
        for (count, event) in events where count > 0 { rare.add(event) }
    }
}
