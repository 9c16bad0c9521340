// SPDX-License-Identifier: Apache-2.0
import Platform
import Wire

/// Reading what only the bucket has: map nodes, frames and, at opening, pack directories.
extension Volume {
    /// Looks the runs up in the committed map and fetches what is not cached. Each run is a piece of the operation.
    func readCommitted(_ runs: [BlockRange], _ operation: ReadOperation, at time: EngineTime) {
        for run in runs {
            operation.outstanding += 1
            resolve(run, operation, at: time)
        }
    }

    private func resolve(_ run: BlockRange, _ operation: ReadOperation, at time: EngineTime) {
        guard map.missingDirectories.isEmpty else {
            fetches.note(operation)
            fetches.waitingForMap.append((operation, run))
            return
        }
        var extents: [CommittedExtent] = []
        do throws(EngineError) {
            let missing: [NodePointer]
            if case .provisioning(let query) = operation.purpose {
                missing = try advance(query)
            } else {
                missing = try map.resolve(run, into: &extents)
            }
            guard missing.isEmpty else { return wait(for: missing, toResolve: run, operation) }
        } catch {
            operation.fail(run.start, isTransient: false)
            return finishPiece(of: operation, at: time)
        }
        if operation.imageNumber != imageNumber { operation.isOfSeveralImages = true }
        for extent in extents {
            switch extent.source {
            case .zero: operation.zero(extent.blocks)
            case .frame(let frame, let firstBlock):
                let wait = Fetches.FrameWait(operation: operation, blocks: extent.blocks, firstBlock: firstBlock)
                if let contents = frames.contents(of: frame) {
                    statisticsCounters.sources.memoryByteCount += deliver(contents, to: wait)
                } else {
                    operation.outstanding += 1
                    fetches.note(operation)
                    let isNew = fetches.frames[frame] == nil
                    fetches.frames[frame, default: []].append(wait)
                    if isNew { fetch(.frame(frame)) }
                }
            }
        }
        finishPiece(of: operation, at: time)
    }

    /// The run is looked up again when these are there.
    private func wait(for missing: [NodePointer], toResolve run: BlockRange, _ operation: ReadOperation) {
        fetches.note(operation)
        let wait = Fetches.NodeWait(operation: operation, run: run, missing: missing.count)
        for node in missing {
            let otherCount = fetches.nodes[node]?.count
            fetches.nodes[node, default: []].append(wait)
            switch otherCount {
            case nil: fetch(.node(node))
            // So far only those who look ahead wanted it.
            case 0: effects.append(.hastenNode(node))
            default: break
            }
        }
    }

    /// - Returns: the bytes that were wanted of it.
    private func deliver(_ contents: FrameContents, to wait: Fetches.FrameWait) -> UInt64 {
        var byteCount = 0
        for offset in 0..<Int(wait.blocks.count) {
            let block = wait.blocks.start.advanced(by: UInt64(offset))
            let position = wait.firstBlock + offset
            guard position < contents.blocks.count, contents.blocks[position] == block else {
                wait.operation.fail(block, isTransient: false)
                continue
            }
            let wanted = wait.operation.wanted(of: block)
            let start = position * Geometry.blockByteCount + wanted.lowerBound * Geometry.sectorByteCount
            unsafe contents.bytes.withUnsafeBytes { bytes in
                unsafe wait.operation.buffer.copy(
                    UnsafeRawBufferPointer(rebasing: bytes[start..<start + wanted.count * Geometry.sectorByteCount]),
                    to: wait.operation.bufferOffset(of: block, sector: wanted.lowerBound))
            }
            byteCount += wanted.count * Geometry.sectorByteCount
        }
        return UInt64(byteCount)
    }

    func fetch(_ item: Fetches.Item) {
        let token = effects.nextToken()
        fetches.tokens[token] = item
        switch item {
        case .node(let node):
            let isWaitedFor = fetches.nodes[node]?.isEmpty == false
            effects.append(.getNode(token, node, isWaitedFor ? .demand : .background))
        case .foldNode(let node):
            effects.append(.getNode(token, node, foldRun?.isUrgent == true ? .demand : .background))
        case .frame(let frame):
            effects.append(.getFrame(token, frame, .demand))
        case .directory(let pack):
            effects.append(
                .getRange(
                    token, BucketLayout.dataPack(pack.owner, pack.name), byteOffset: pack.directoryOffset,
                    byteCount: Int(pack.directoryByteCount)))
        }
    }

    /// What is neither frame nor whole object: map nodes, from the cache or the bucket, and pack directories.
    func range(
        _ token: EffectToken, _ result: Result<[UInt8], BucketFailure>, from source: FrameSource, at time: EngineTime
    ) {
        guard let item = fetches.tokens.removeValue(forKey: token) else { return }
        do {
            let bytes = try result.get()
            if source == .bucket { statisticsCounters.downloadedByteCount += UInt64(bytes.count) }
            switch item {
            case .node(let node):
                try map.supply(node: bytes, at: node)
                nodeArrived(node, at: time)
            case .foldNode(let node): try supplyFold(bytes, at: node, at: time)
            case .directory(let pack):
                let directory = try PackFormat.decodeDirectory(bytes, expecting: pack.owner, pack.name)
                try map.supply(directory: directory, of: pack)
                directoryArrived(at: time)
            case .frame: preconditionFailure("frames are not fetched as ranges")
            }
            fetches.forgetFailures(of: item)
        } catch {
            didFail(item, error, at: time)
        }
    }

    func frame(
        _ token: EffectToken, _ result: Result<FrameContents, BucketFailure>, from source: FrameSource,
        at time: EngineTime
    ) {
        if prefetch.tokens[token] != nil { return prefetched(token, result, from: source) }
        guard let item = fetches.tokens.removeValue(forKey: token), case .frame(let frame) = item else { return }
        switch result {
        case .failure(let failure): didFail(item, failure, at: time)
        case .success(let contents):
            if source == .bucket { statisticsCounters.downloadedByteCount += UInt64(frame.byteCount) }
            fetches.forgetFailures(of: item)
            frames.insert(contents, of: frame)
            for wait in fetches.frames.removeValue(forKey: frame) ?? [] {
                let byteCount = deliver(contents, to: wait)
                switch source {
                case .cache: statisticsCounters.sources.cacheByteCount += byteCount
                case .bucket:
                    statisticsCounters.sources.bucketByteCount += byteCount
                    wait.operation.usedBucket = true
                }
                finishPiece(of: wait.operation, at: time)
            }
        }
    }

    private func nodeArrived(_ node: NodePointer, at time: EngineTime) {
        prefetch.nodes.remove(node)
        warming?.nodes.remove(node)
        upperLevels.nodes.remove(node)
        for wait in fetches.nodes.removeValue(forKey: node) ?? [] {
            wait.missing -= 1
            if wait.missing == 0, !wait.isOver { resolve(wait.run, wait.operation, at: time) }
        }
    }

    private func directoryArrived(at time: EngineTime) {
        guard map.missingDirectories.isEmpty else { return }
        opening.delayReason = nil
        let waiting = fetches.waitingForMap
        fetches.waitingForMap = []
        for (operation, run) in waiting { resolve(run, operation, at: time) }
    }

    /// Tries again after a pause, as long as somebody has time to wait; what is broken for good fails at once.
    private func didFail(_ item: Fetches.Item, _ error: any Error, at time: EngineTime) {
        let count = fetches.failures[item, default: 0]
        fetches.failures[item] = count + 1
        let isTransient: Bool
        switch error as? BucketFailure {
        case .unavailable, .ambiguous, .conflict, .preconditionFailed: isTransient = true
        // Bits flip on the way and stores err for a moment; damage in the object itself comes again each time.
        case .notFound, .corrupt, .refused, nil:
            let damages = fetches.damages[item, default: 0]
            fetches.damages[item] = damages + 1
            isTransient = damages < limits.damageRetries
        }
        func isPatient(_ operation: ReadOperation) -> Bool {
            isTransient && operation.deadline > time.nanoseconds
        }
        // The impatient are told last: a comparison that ends lets others begin, which may want the same item.
        switch item {
        case .node(let node):
            let waits = fetches.nodes.removeValue(forKey: node) ?? []
            let patient = waits.filter { isPatient($0.operation) }
            let isWarmed = isTransient && warming?.nodes.contains(node) == true
            if isWarmed { warming?.progress.delayReason = "the bucket does not give a map node: \(error)" }
            let isWanted = !patient.isEmpty || isWarmed
            fetches.nodes[node] = isWanted ? patient : nil
            if !isWanted { cannotLookAhead(node, error) }
            tryAgain(item, after: count, isWanted: isWanted, at: time)
            for wait in waits where !isPatient(wait.operation) && !wait.isOver {
                wait.isOver = true
                wait.operation.fail(wait.run.start, isTransient: isTransient)
                finishPiece(of: wait.operation, at: time)
            }
            return
        case .frame(let frame):
            let waits = fetches.frames.removeValue(forKey: frame) ?? []
            let patient = waits.filter { isPatient($0.operation) }
            fetches.frames[frame] = patient.isEmpty ? nil : patient
            tryAgain(item, after: count, isWanted: !patient.isEmpty, at: time)
            for wait in waits where !isPatient(wait.operation) {
                wait.operation.fail(wait.blocks.start, isTransient: isTransient)
                finishPiece(of: wait.operation, at: time)
            }
            return
        case .foldNode:
            guard foldRun != nil else { return }
            foldProblem = "the bucket does not give a map node: \(error)"
        case .directory: opening.delayReason = "the bucket does not give the volume's pack directories: \(error)"
        }
        tryAgain(item, after: count, isWanted: true, at: time)
    }

    /// Ends what has waited for the bucket for as long as it may, though nothing was answered.
    func expireReads(at time: EngineTime) {
        let overdue = fetches.removeOverdue(at: time.nanoseconds)
        // Told when all of them have gone: a comparison that ends lets others begin.
        for (operation, block) in overdue {
            operation.fail(block, isTransient: true)
            finishPiece(of: operation, at: time)
        }
    }

    private func tryAgain(_ item: Fetches.Item, after failures: Int, isWanted: Bool, at time: EngineTime) {
        if isWanted {
            later(.fetch(item), after: backoff(failures), at: time)
        } else {
            fetches.forgetFailures(of: item)
        }
    }

    /// Doubles with each failure up to the limit; of that half to all, so that what failed together does not come back
    /// together.
    func backoff(_ failures: Int) -> UInt64 {
        let longest = min(limits.retryNanoseconds << UInt64(min(failures, 16)), limits.retryMaximumNanoseconds)
        return longest - random.next() % (longest / 2 + 1)
    }
}
