// SPDX-License-Identifier: Apache-2.0
package import Wire

/// Sectors and whether anything is stored for them. A block of which only a part was unmapped is stored.
package struct ProvisionedRange: Hashable, Sendable {
    package var sectors: SectorRange
    package var isMapped: Bool
    package init(sectors: SectorRange, isMapped: Bool) {
        self.sectors = sectors
        self.isMapped = isMapped
    }
}

/// Why the volume does not say what is stored.
package enum ProvisioningFailure: Error, Equatable, Sendable {
    case outOfRange
    /// Later it may.
    case busy
    case mediumError(sector: UInt64)
    case fenced
}

/// A question on its way; it may have to wait for map nodes several times.
final class ProvisioningQuery {
    let caller: CallerToken
    let sector: UInt64
    let runLimit: Int
    var position: BlockIndex
    var runs: [(blocks: BlockRange, isMapped: Bool)] = []
    var stepsLeft: Int

    init(caller: CallerToken, sector: UInt64, runLimit: Int, stepsLeft: Int) {
        self.caller = caller
        self.sector = sector
        self.runLimit = runLimit
        self.stepsLeft = stepsLeft
        position = BlockIndex(sector / UInt64(Geometry.sectorsPerBlock))
    }

    /// The answer: contiguous from the sector that was asked for.
    var ranges: [ProvisionedRange] {
        // As many as a count holds, in whole blocks.
        let longest = UInt64(UInt32.max) / 8 * 8
        var ranges: [ProvisionedRange] = []
        for run in runs {
            var start = max(run.blocks.start.rawValue * 8, sector)
            while start < run.blocks.end.rawValue * 8, ranges.count < runLimit {
                let count = min(run.blocks.end.rawValue * 8 - start, longest)
                ranges.append(
                    ProvisionedRange(
                        sectors: SectorRange(start: start, count: UInt32(count)), isMapped: run.isMapped))
                start += count
            }
        }
        return ranges
    }
}

extension Volume {
    /// Which sectors are stored from this one on (GET LBA STATUS), answered with `Effect.provisioning`: neighbouring
    /// ranges without gaps, at least one and at most `descriptorLimit`. It may end before that many and before the
    /// volume does, since a call looks at a bounded part of the map: whoever wants more asks again from there.
    package func provisioning(
        from sector: UInt64, descriptorLimit: Int, caller: CallerToken, at time: EngineTime
    ) {
        updateLease(at: time)
        let query = ProvisioningQuery(
            caller: caller, sector: sector, runLimit: max(1, descriptorLimit),
            stepsLeft: limits.provisioningStepCount)
        if phase == .opening {
            provisioningWaitingForOpen.append(query)
        } else {
            begin(query, at: time)
        }
        pump(time)
    }

    func begin(_ query: ProvisioningQuery, at time: EngineTime) {
        switch phase {
        case .fenced: return answer(query, .failure(.fenced))
        case .stopped, .opening: return answer(query, .failure(.busy))
        case .serving, .stopping, .failed: break
        }
        guard query.sector < byteCount / UInt64(Geometry.sectorByteCount) else {
            return answer(query, .failure(.outOfRange))
        }
        let operation = ReadOperation(
            purpose: .provisioning(query), sectors: SectorRange(start: query.sector, count: 0),
            deadline: time.nanoseconds + limits.holdNanoseconds)
        readCommitted([BlockRange(start: query.position, count: 1)], operation, at: time)
    }

    /// Goes on as far as the map's nodes are there.
    /// - Returns: those that are missing.
    func advance(_ query: ProvisioningQuery) throws(EngineError) -> [NodePointer] {
        let indexes = [map.folding, map.delta].compactMap { $0 }.map(ProvisioningScan.Layer.delta)
        let layers = indexes + frozen.map(ProvisioningScan.Layer.dirty) + [.dirty(active)]
        var scan = ProvisioningScan(
            query, layers: layers, map: map, end: BlockIndex(byteCount / UInt64(Geometry.blockByteCount)))
        let missing = try scan.advance()
        query.position = scan.position
        query.runs = scan.runs
        query.stepsLeft = scan.stepsLeft
        return missing
    }

    func finishProvisioning(_ query: ProvisioningQuery, with operation: ReadOperation) {
        if case .fenced = phase {
            answer(query, .failure(.fenced))
        } else if let failure = operation.failure {
            answer(query, .failure(failure.isTransient ? .busy : .mediumError(sector: failure.sector)))
        } else {
            answer(query, .success(query.ranges))
        }
    }

    func dropProvisioning(_ failure: ProvisioningFailure) {
        for query in provisioningWaitingForOpen { answer(query, .failure(failure)) }
        provisioningWaitingForOpen = []
    }

    private func answer(_ query: ProvisioningQuery, _ result: Result<[ProvisionedRange], ProvisioningFailure>) {
        // What the volume holds only its owner knows.
        let isKnown = lease?.isLapsed != true || phase == .opening
        effects.append(.provisioning(query.caller, isKnown ? result : .failure(.busy)))
    }
}
