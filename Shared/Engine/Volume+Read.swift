// SPDX-License-Identifier: Apache-2.0
import DequeModule
import Platform
import Wire

/// Reading through the layers (STORAGE §5): active, frozen, clean journal, then the committed map.
extension Volume {
    func read(_ sectors: SectorRange, for origin: RequestOrigin, at time: EngineTime) {
        statisticsCounters.readCount += 1
        statisticsCounters.readByteCount += UInt64(sectors.byteCount)
        start(
            ReadOperation(
                purpose: .reply(origin), sectors: sectors, deadline: time.nanoseconds + limits.holdNanoseconds),
            at: time)
        lookAhead(of: sectors.blocks)
    }

    /// Finds every block of the operation. A pack's operation sees only the oldest frozen layer and what is below it.
    func start(_ operation: ReadOperation, at time: EngineTime) {
        operation.outstanding += 1  // Held until everything was started.
        operation.imageNumber = imageNumber
        var run = JournalRun()
        for offset in 0..<operation.sectors.blocks.count {
            locate(operation.sectors.blocks.start.advanced(by: offset), operation, &run)
        }
        emit(&run, operation)
        if !operation.committed.isEmpty {
            let runs = operation.committed
            operation.committed = []
            readCommitted(runs, operation, at: time)
        }
        finishPiece(of: operation, at: time)
    }

    private func locate(_ block: BlockIndex, _ operation: ReadOperation, _ run: inout JournalRun) {
        let wanted = operation.wanted(of: block)
        let wantedMask = UInt8(truncatingIfNeeded: ((1 << wanted.count) - 1) << wanted.lowerBound)
        var seenMask: UInt8 = 0
        for depth in layerDepths(of: operation) {
            let hit = depth == 0 ? active.lookup(block) : frozen[frozen.count - depth].lookup(block)
            switch hit {
            case .miss: continue
            case .zero: return operation.zero(BlockRange(start: block, count: 1))
            case .journal(let entry): return read(entry, block, operation, &run, isClean: false)
            case .partial(let partial):
                overlay(partial, block, operation, skipping: seenMask, wanted: wantedMask)
                seenMask |= partial.mask
                if wantedMask & ~seenMask == 0 { return }
                if let base = partial.base {
                    if base.isZero { return operation.zero(BlockRange(start: block, count: 1)) }
                    return read(base, block, operation, &run, isClean: false)
                }
            }
        }
        if let entry = clean[block], entry.segment >= journal.store.oldestID {
            return read(entry, block, operation, &run, isClean: true)
        }
        if let last = operation.committed.last, last.end == block {
            operation.committed[operation.committed.count - 1].count += 1
        } else {
            operation.committed.append(BlockRange(start: block, count: 1))
        }
    }

    /// 0 is the active layer, then the frozen ones, newest first.
    private func layerDepths(of operation: ReadOperation) -> ClosedRange<Int> {
        if case .pack = operation.purpose { return frozen.count...frozen.count }
        return 0...frozen.count
    }

    // MARK: From the journal

    /// Neighbouring blocks that lie one after the other in the journal, read with one call.
    private struct JournalRun {
        var segment: SegmentID?
        var byteOffset = 0
        var byteCount = 0
        var bufferOffset = 0
        var checks: [JournalRead.Check] = []
        var isClean = false
    }

    private func read(
        _ entry: DirtyEntry, _ block: BlockIndex, _ operation: ReadOperation, _ run: inout JournalRun, isClean: Bool
    ) {
        let check: (Int) -> JournalRead.Check = {
            JournalRead.Check(
                bufferOffset: $0, byteCount: Geometry.blockByteCount, checksum: entry.checksum, block: block)
        }
        guard operation.wanted(of: block).count == Geometry.sectorsPerBlock else {
            // The checksum is of the whole block, so the whole block is read.
            let whole = IOBuffer(byteCount: Geometry.blockByteCount)
            return emit(
                JournalRead(
                    operation: operation, segment: entry.segment, buffer: whole, checks: [check(0)], edge: block,
                    isClean: isClean), byteOffset: entry.byteOffset, byteCount: Geometry.blockByteCount, bufferOffset: 0
            )
        }
        let bufferOffset = operation.bufferOffset(of: block, sector: 0)
        let continues =
            run.segment == entry.segment && run.isClean == isClean && run.byteOffset + run.byteCount == entry.byteOffset
            && run.bufferOffset + run.byteCount == bufferOffset
        if !continues {
            emit(&run, operation)
            run.segment = entry.segment
            run.byteOffset = entry.byteOffset
            run.bufferOffset = bufferOffset
            run.isClean = isClean
        }
        run.byteCount += Geometry.blockByteCount
        run.checks.append(check(bufferOffset))
    }

    private func emit(_ run: inout JournalRun, _ operation: ReadOperation) {
        guard let segment = run.segment else { return }
        emit(
            JournalRead(
                operation: operation, segment: segment, buffer: operation.buffer, checks: run.checks, edge: nil,
                isClean: run.isClean), byteOffset: run.byteOffset, byteCount: run.byteCount,
            bufferOffset: run.bufferOffset)
        run = JournalRun()
    }

    private func emit(_ read: JournalRead, byteOffset: Int, byteCount: Int, bufferOffset: Int) {
        let token = effects.nextToken()
        read.operation.outstanding += 1
        journal.store.retain(read.segment)
        journalReads[token] = read
        effects.append(
            .readSegment(
                token, read.segment, byteOffset: byteOffset, byteCount: byteCount, read.buffer,
                bufferOffset: bufferOffset))
    }

    private func overlay(
        _ partial: PartialBlock, _ block: BlockIndex, _ operation: ReadOperation, skipping seen: UInt8, wanted: UInt8
    ) {
        let buffer = IOBuffer(byteCount: Geometry.blockByteCount)
        let mask = partial.mask & wanted & ~seen
        for sector in 0..<Geometry.sectorsPerBlock where mask & (1 << UInt8(sector)) != 0 {
            guard let entry = partial[sector] else { continue }
            let bufferOffset = sector * Geometry.sectorByteCount
            if entry.isZero {
                buffer.zero(bufferOffset..<bufferOffset + Geometry.sectorByteCount)
                continue
            }
            let check = JournalRead.Check(
                bufferOffset: bufferOffset, byteCount: Geometry.sectorByteCount, checksum: entry.checksum, block: block)
            emit(
                JournalRead(
                    operation: operation, segment: entry.segment, buffer: buffer, checks: [check], edge: nil,
                    isClean: false), byteOffset: entry.byteOffset, byteCount: Geometry.sectorByteCount,
                bufferOffset: bufferOffset)
        }
        operation.overlays.append(ReadOperation.Overlay(buffer: buffer, block: block, mask: mask))
    }

    func diskRead(_ token: EffectToken, _ result: Result<Void, SystemError>, at time: EngineTime) {
        guard let read = journalReads.removeValue(forKey: token) else {
            return packRead(token, result, at: time)
        }
        journal.store.release(read.segment)
        var bad: [BlockIndex] = []
        for check in read.checks {
            var isSound = false
            if case .success = result {
                isSound =
                    unsafe CRC32C.checksum(
                        UnsafeRawBufferPointer(
                            read.buffer.bytes(check.bufferOffset..<check.bufferOffset + check.byteCount)))
                    == check.checksum
            }
            if !isSound { bad.append(check.block) }
        }
        if bad.isEmpty, let block = read.edge { read.operation.copy(block, from: read.buffer, at: 0) }
        if bad.isEmpty {
            statisticsCounters.sources.journalByteCount += read.checks.reduce(0) { $0 + UInt64($1.byteCount) }
        }
        for block in bad {
            effects.append(.report(.badBlock(segment: read.segment, block: block)))
            if read.isClean {
                // The bucket has it too.
                clean.remove(block)
                readCommitted([BlockRange(start: block, count: 1)], read.operation, at: time)
            } else {
                read.operation.fail(block, isTransient: false)
            }
        }
        finishPiece(of: read.operation, at: time)
    }

    /// One piece is there (or failed); the last one completes the operation.
    func finishPiece(of operation: ReadOperation, at time: EngineTime) {
        operation.outstanding -= 1
        guard operation.outstanding == 0 else { return }
        operation.applyOverlays()
        switch operation.purpose {
        case .reply(let origin):
            if case .fenced = phase {
                reply(origin, .fenced)
            } else if let failure = operation.failure {
                reply(origin, failure.isTransient ? .busy : .mediumError(sector: failure.sector))
            } else {
                noteAnswered(operation)
                reply(origin, .data(operation.buffer))
            }
        case .compare(let origin, let expected): finishCompare(origin, expected, with: operation, at: time)
        case .modify(let origin): finishModification(origin, with: operation, at: time)
        case .provisioning(let query): finishProvisioning(query, with: operation)
        case .pack(let build, let bufferOffset): packBlockRead(operation, build, bufferOffset: bufferOffset, at: time)
        }
    }

    func noteAnswered(_ operation: ReadOperation) {
        statisticsCounters.answeredReadCount += 1
        if !operation.usedBucket { statisticsCounters.localReadCount += 1 }
    }
}
