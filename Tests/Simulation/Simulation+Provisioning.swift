// SPDX-License-Identifier: Apache-2.0
import Engine
import TestSupport
import Wire

/// Asking what is stored, and what the oracle says to the answers.
extension Simulation {
    func askProvisioning(from sector: UInt64, limit: Int, _ volume: Volume, of gateway: SimulatedGateway) {
        let caller = nextCaller()
        gateway.callers[caller] = .provisioning(from: sector, limit: limit, known: gateway.oracle.acknowledged)
        gateway.provisioning = nil
        trace.line(now, "g\(gateway.index) is asked what is stored from \(sector) on")
        volume.provisioning(from: sector, descriptorLimit: limit, caller: caller, at: engineTime)
    }

    /// Somewhere in the volume, mostly where something happened.
    func askProvisioning(_ gateway: SimulatedGateway) {
        let sectorCount = knownByteCount(gateway) / 512
        let oracle = gateway.oracle
        let touched = oracle.entries.isEmpty ? [] : ledger[oracle.entries[random.below(oracle.last)].command].ranges
        let sector =
            random.oneIn(3) ? UInt64(random.below(Int(sectorCount))) : min(touched.first?.start ?? 0, sectorCount - 1)
        deliver(.provisioning(from: sector, limit: 1 + random.below(8)), to: gateway)
    }

    func provisioned(
        _ caller: CallerToken, _ result: Result<[ProvisionedRange], ProvisioningFailure>, _ gateway: SimulatedGateway
    ) throws(Violation) {
        guard case .provisioning(let sector, let limit, let known) = gateway.callers.removeValue(forKey: caller) else {
            throw Violation(.effectsAreWellFormed, "an answer to a question that nobody asked")
        }
        gateway.provisioning = result
        trace.note(12, now)
        trace.line(now, "g\(gateway.index) -> stored from \(sector) on: \(result)")
        guard case .success(let ranges) = result else {
            let bodiesBreak = settings.storeRates.flippedBody > 0 || settings.storeRates.shortBody > 0
            if case .failure(.mediumError) = result, !bodiesBreak {
                throw Violation(.mediumErrorHasCause, "what is stored from \(sector) on cannot be read")
            }
            if result == .failure(.outOfRange) {
                throw Violation(.provisioningIsTrue, "sector \(sector) is said not to exist")
            }
            return
        }
        guard (1...limit).contains(ranges.count), ranges[0].sectors.start == sector else {
            throw Violation(.provisioningIsTrue, "\(ranges.count) of \(limit) ranges from \(sector): \(ranges)")
        }
        for (range, next) in zip(ranges, ranges.dropFirst())
        where next.sectors.start != range.sectors.end || next.isMapped == range.isMapped {
            throw Violation(.provisioningIsTrue, "\(range) and then \(next)")
        }
        rare.add(.provisioning)
        try judge(ranges, known: known, gateway)
    }

    /// What is said not to be stored was zeros at some time since the question.
    private func judge(
        _ ranges: [ProvisionedRange], known: Int, _ gateway: SimulatedGateway
    ) throws(Violation) {
        let history = gateway.oracle.history
        let published = gateway.oracle.published
        let window = min(known, published)...published
        var wrong: UInt64?
        var index = 0
        history.forEachTouchedSector { sector in
            while index < ranges.count, ranges[index].sectors.end <= sector { index += 1 }
            guard wrong == nil, index < ranges.count, ranges[index].sectors.start <= sector, !ranges[index].isMapped,
                !history.held(0, sector: sector, during: window)
            else { return }
            wrong = sector
        }
        if let wrong {
            throw Violation(.provisioningIsTrue, "sector \(wrong) holds data and is said not to be stored")
        }
    }

    // MARK: At the end of a run

    /// After the whole volume was unmapped nothing of it is stored, neither before nor after a commit.
    func checkUnmapped() throws(Violation) {
        let gateway = gateways[owner]
        guard let auditor = frontends.firstIndex(where: { $0.isAuditor && $0.gateway == owner }) else { return }
        // In pieces whose ends are no blocks', as some initiators do it.
        let sectorCount = UInt32(gateway.byteCount / 512)
        let middle = UInt32(random.below(Int(sectorCount)))
        let pieces = [
            SectorRange(start: 0, count: middle), SectorRange(start: UInt64(middle), count: sectorCount - middle),
        ]
        for piece in pieces {
            _ = issue(.unmap([piece]), zeros: true, expected: [], frontend: auditor)
            if random.oneIn(2) { try commitAndWait() }
        }
        try wait("the volume is unmapped") { self.frontends.allSatisfy { $0.open.isEmpty } }
        try requireUnmapped(gateway)
        try commitAndWait()
        try requireUnmapped(gateway)
    }

    private func requireUnmapped(_ gateway: SimulatedGateway) throws(Violation) {
        let sectorCount = gateway.byteCount / 512
        var sector: UInt64 = 0
        while sector < sectorCount {
            gateway.provisioning = nil
            deliver(.provisioning(from: sector, limit: 4), to: gateway)
            try wait("it is said what is stored") { gateway.provisioning != nil }
            guard case .success(let ranges) = gateway.provisioning, let last = ranges.last else { continue }
            if let mapped = ranges.first(where: \.isMapped) {
                throw Violation(.provisioningIsTrue, "\(mapped.sectors) are stored although all was unmapped")
            }
            sector = last.sectors.end
        }
    }
}
