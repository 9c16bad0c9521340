// SPDX-License-Identifier: Apache-2.0
import DequeModule
import Platform
import Wire

/// Packs of the running commit: read from the journal, verified, handed to uploaders (STORAGE §3, steps 2-4).
extension Volume {
    /// Asks for memory for the packs that can be begun.
    func startPacks() {
        guard mayStorePacks, let commit, commit.stage == .packs else { return }
        while packMemory.requestCount < commit.waitingPackCount(limit: limits.packsInFlight),
            packMemory.heldCount + packMemory.requestCount < limits.packsInFlight
        {
            packMemory.requestCount += 1
            effects.append(.reservePack(effects.nextToken()))
        }
    }

    /// There is memory for one pack.
    func packReserved(at time: EngineTime) {
        packMemory.requestCount -= 1
        packMemory.heldCount += 1
        guard isAlive, mayStorePacks, commit?.stage == .packs, let build = nextBuild() else { return releasePack() }
        begin(build, at: time)
    }

    private func nextBuild() -> PackBuild? {
        if let failed = commit?.failed.popFirst() { return failed }
        guard let commit, commit.waitingPackCount(limit: limits.packsInFlight) > 0, let layer = frozen.first else {
            return nil
        }
        let build = commit.packs.build(commit.nextPack, from: layer)
        self.commit?.nextPack += 1
        self.commit?.builds[build.index] = build
        return build
    }

    private func releasePack() {
        packMemory.heldCount -= 1
        effects.append(.releasePack)
    }

    /// A volume that ends leaves nothing behind.
    func releasePacks() { while packMemory.heldCount > 0 { releasePack() } }

    /// Gives the pack's memory back until it is tried again: what the bucket does not take for hours is not kept.
    private func postpone(_ build: PackBuild, by nanoseconds: UInt64, at time: EngineTime) {
        build.buffer = nil
        releasePack()
        later(.pack(build), after: nanoseconds, at: time)
    }

    func retryPack(_ build: PackBuild) {
        if owns(build) { commit?.failed.append(build) }
    }

    /// Reads all blocks of the pack into one buffer.
    private func begin(_ build: PackBuild, at time: EngineTime) {
        let buffer = IOBuffer(byteCount: build.blocks.count * Geometry.blockByteCount)
        build.buffer = buffer
        build.isBroken = false
        build.outstanding = 1  // Held until everything was started.
        var reads: [SegmentRead] = []
        for (index, (block, entry)) in build.blocks.enumerated() {
            let bufferOffset = index * Geometry.blockByteCount
            if entry.partialIndex != nil {
                build.outstanding += 1
                start(
                    ReadOperation(
                        purpose: .pack(build, bufferOffset: bufferOffset),
                        sectors: SectorRange(start: block.rawValue * 8, count: 8),
                        deadline: time.nanoseconds + limits.packReadNanoseconds), at: time)
            } else if let last = reads.last, last.segment == entry.segment,
                last.byteOffset + last.byteCount == entry.byteOffset,
                last.bufferOffset + last.byteCount == bufferOffset  // No partly written block in between.
            {
                reads[reads.count - 1].byteCount += Geometry.blockByteCount
            } else {
                reads.append(
                    SegmentRead(
                        segment: entry.segment, byteOffset: entry.byteOffset, byteCount: Geometry.blockByteCount,
                        bufferOffset: bufferOffset))
            }
        }
        if !reads.isEmpty {
            build.outstanding += 1
            let token = effects.nextToken()
            packReads[token] = build
            effects.append(.readSegments(token, reads, buffer))
        }
        finishRead(of: build, at: time)
    }

    /// The journal's part of a pack was read.
    func packRead(_ token: EffectToken, _ result: Result<Void, SystemError>, at time: EngineTime) {
        guard let build = packReads.removeValue(forKey: token), let buffer = build.buffer else { return }
        if case .failure(let error) = result {
            delay(build, "reading the journal failed: \(error)")
        } else {
            for (index, (block, entry)) in build.blocks.enumerated() where entry.partialIndex == nil {
                let range = index * Geometry.blockByteCount..<(index + 1) * Geometry.blockByteCount
                guard unsafe CRC32C.checksum(UnsafeRawBufferPointer(buffer.bytes(range))) == entry.checksum else {
                    effects.append(.report(.badBlock(segment: entry.segment, block: block)))
                    reportLoss(of: block, in: build)
                    delay(build, "block \(block.rawValue) cannot be read from the journal")
                    break
                }
            }
        }
        finishRead(of: build, at: time)
    }

    /// A partly written block was put together.
    func packBlockRead(_ operation: ReadOperation, _ build: PackBuild, bufferOffset: Int, at time: EngineTime) {
        if let failure = operation.failure {
            if !failure.isTransient { reportLoss(of: BlockIndex(failure.sector / 8), in: build) }
            delay(build, "sector \(failure.sector) cannot be read to complete a block")
        } else if let buffer = build.buffer {
            buffer.copy(operation.buffer, from: 0, byteCount: Geometry.blockByteCount, to: bufferOffset)
            build.checksums[bufferOffset / Geometry.blockByteCount] = unsafe CRC32C.checksum(
                UnsafeRawBufferPointer(operation.buffer.bytes))
        }
        finishRead(of: build, at: time)
    }

    private func reportLoss(of block: BlockIndex, in build: PackBuild) {
        guard !build.isLossReported else { return }
        build.isLossReported = true
        effects.append(.report(.dirtyBlockLost(block)))
    }

    private func delay(_ build: PackBuild, _ reason: String) {
        build.isBroken = true
        commit?.delayReason = reason
        effects.append(.report(.commitDelayed(reason)))
    }

    private func finishRead(of build: PackBuild, at time: EngineTime) {
        build.outstanding -= 1
        guard build.outstanding == 0, owns(build) else { return }
        if build.isBroken {
            build.failures += 1
            postpone(build, by: backoff(build.failures), at: time)
        } else {
            build.omitZeros()
            send(build, at: time)
        }
    }

    /// Is the pack one of the commit that runs now?
    private func owns(_ build: PackBuild) -> Bool {
        commit?.builds[build.index] === build
    }

    /// Hands a pack to an uploader, each time under a name that was never used.
    private func send(_ build: PackBuild, at time: EngineTime) {
        guard let buffer = build.buffer, let commit else { return }
        guard mayStorePacks else { return postpone(build, by: leasePause, at: time) }
        let name = nextPackName()
        build.name = name
        let blocks = zip(build.blocks, build.checksums).map { (block: $0.block, checksum: $1) }
        let plan = PackPlan(
            volume: head.volume, name: name, firstSequence: JournalSequence(cleanThrough.rawValue + 1),
            lastSequence: commit.sequence, compressionLevel: UInt8(clamping: head.compressionLevel),
            frames: FrameGrouping.frames(blocks, limits: limits), zeroRuns: build.zeroRuns)
        let token = effects.nextToken()
        packPuts[token] = build
        effects.append(.putPack(token, BucketLayout.dataPack(head.volume, name), plan, buffer))
    }

    func nextPackName() -> PackName {
        packNumber += 1
        return PackName(generation: head.generation.rawValue, start: start ?? 0, number: packNumber)
    }

    func packStored(_ token: EffectToken, _ result: Result<StoredPack, BucketFailure>, at time: EngineTime) {
        guard let build = packPuts.removeValue(forKey: token), owns(build) else { return }
        switch result {
        case .success(let stored) where !build.matches(stored):
            build.failures += 1
            effects.append(.report(.commitDelayed("a pack came back with other blocks than were sent")))
            postpone(build, by: backoff(build.failures), at: time)
        case .success(let stored):
            statisticsCounters.uploadedByteCount += stored.reference.byteCount
            statisticsCounters.packedByteCount += stored.reference.byteCount
            statisticsCounters.packedSourceByteCount += UInt64(build.blocks.count * Geometry.blockByteCount)
            build.buffer = nil
            releasePack()
            commit?.builds[build.index] = nil
            commit?.stored[build.index] = stored
            commit?.delayReason = nil
        case .failure(let failure):
            build.failures += 1
            commit?.delayReason = "packs cannot be stored: \(failure)"
            effects.append(.report(.commitDelayed("\(failure)")))
            postpone(build, by: backoff(build.failures), at: time)
        }
    }
}

extension PackBuild {
    /// The uploader's answer is of this pack and holds just its blocks.
    fileprivate func matches(_ stored: StoredPack) -> Bool {
        stored.reference.name == name && stored.directory.name == name && stored.directory.zeroRuns == zeroRuns
            && stored.directory.frames.lazy.flatMap(\.blocks).elementsEqual(blocks.lazy.map(\.block))
    }
}
