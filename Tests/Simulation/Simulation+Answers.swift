// SPDX-License-Identifier: Apache-2.0
import Engine
import Platform
import TestSupport
import Wire

/// What the oracle says to each answer, and how it travels to its frontend.
extension Simulation {
    func answer(_ origin: RequestOrigin, _ reply: VolumeReply, from gateway: SimulatedGateway) throws(Violation) {
        guard let number = ledger.number(of: origin), ledger[number].gateway == gateway.index else {
            throw Violation(.effectsAreWellFormed, "an answer to \(origin), which nobody sent here")
        }
        let command = ledger[number]
        trace.note(9, UInt64(number), now)
        trace.line(now, "g\(gateway.index) -> #\(number) \(reply.summary)")
        gateway.received.remove(number)
        var kind = AnswerKind.done
        switch reply {
        case .good: try judgeGood(number, command, gateway)
        case .data(let buffer): try judgeData(number, command, buffer, gateway)
        case .miscompare(let byteOffset): try judgeMiscompare(number, command, byteOffset, gateway)
        case .aborted:
            kind = .aborted
            rare.add(.aborted)
            try judgeRefusal(number, "is aborted", gateway)
            gateway.aborted.insert(number)
        case .mediumError(let sector): try judgeMediumError(number, command, sector, gateway)
        case .outOfRange: throw Violation(.effectsAreWellFormed, "#\(number) \(command.command) is not out of range")
        case .busy:
            kind = .busy
            if command.changesVolume {
                rare.add(.busy)
                try judgeRefusal(number, "answers BUSY", gateway)
            }
        case .writeError:
            kind = .failed
            guard gateway.oracle.isJournalFailed else {
                throw Violation(.progressAfterHealing, "#\(number) failed although the journal did not")
            }
        case .fenced:
            kind = .fenced
            guard headWriter != gateway.index || isWaitingTaker(gateway) else {
                throw Violation(.ownerIsNotFencedByItself, "#\(number) is refused by the volume's owner")
            }
        }
        let frontend = command.frontend
        let latency = UInt64(5_000 + random.below(60_000))
        frontends[frontend].lastReply = max(frontends[frontend].lastReply, now + latency)
        queue.add(
            .reply(frontend: frontend, connection: frontends[frontend].connection, command: number, kind),
            at: frontends[frontend].lastReply)
    }

    /// Two machines never acknowledge at once where ownership is a lease.
    private func requireLease(_ number: Int, _ gateway: SimulatedGateway) throws(Violation) {
        guard settings.leaseMilliseconds != nil, let volume = gateway.volume else { return }
        guard volume.head.generation >= headGeneration else {
            throw Violation(
                .leaseIsHeldByOne, "#\(number) is answered by g\(gateway.index), whose lease was taken over")
        }
    }

    private func judgeGood(
        _ number: Int, _ command: SimulatedCommand, _ gateway: SimulatedGateway
    ) throws(Violation) {
        try requireLease(number, gateway)
        guard !gateway.knowsSuccessor else {
            throw Violation(
                gateway.isRestoredCopy ? .oldStateIsRefused : .staleOwnerIsFenced,
                "#\(number) is acknowledged by a gateway that knows it is not the owner")
        }
        guard !gateway.oracle.isJournalFailed || command.onlyReads else {
            throw Violation(.journalFailureIsFinal, "#\(number) is acknowledged after the journal failed")
        }
        if gateway.isRestoredCopy, headWriter != gateway.index { rare.add(.oldStateServedUntilFenced) }
        switch command.command {
        case .read: throw Violation(.effectsAreWellFormed, "#\(number) is a read without data")
        case .prefetch: break
        case .compare(let range): try judgeMatch(number, command, range, gateway)
        case .flush:
            try gateway.oracle.acknowledgeFlush(number, known: command.knownPosition, disk: gateway.disk)
        case .write, .writeSame, .unmap, .compareAndWrite, .orWrite:
            let mustBeDurable = command.forcesUnitAccess || gateway.isAlwaysDurable
            try gateway.oracle.acknowledge(number, command, mustBeDurable: mustBeDurable, disk: gateway.disk)
        }
    }

    private func judgeData(
        _ number: Int, _ command: SimulatedCommand, _ buffer: IOBuffer, _ gateway: SimulatedGateway
    ) throws(Violation) {
        try requireLease(number, gateway)
        guard case .read(let range) = command.command, buffer.byteCount == range.byteCount else {
            throw Violation(.readsReturnWhatWasWritten, "#\(number) got \(buffer.byteCount) bytes")
        }
        guard !gateway.knowsSuccessor else {
            throw Violation(
                gateway.isRestoredCopy ? .oldStateIsRefused : .staleOwnerIsFenced,
                "#\(number) is read from a gateway that knows it is not the owner")
        }
        let published = gateway.oracle.published
        let window = min(command.knownPosition, published)...published
        for index in 0..<Int(range.count) {
            let sector = range.start + UInt64(index)
            let bytes = unsafe UnsafeRawBufferPointer(buffer.bytes(index * 512..<(index + 1) * 512))
            let stamp = unsafe ledger.stamp(
                of: bytes, sector: sector,
                among: gateway.oracle.history.versions(of: sector, during: window).map(\.stamp))
            guard let stamp else {
                throw Violation(.readsReturnWhatWasWritten, "#\(number): sector \(sector) holds what nobody wrote")
            }
            guard gateway.oracle.history.held(stamp, sector: sector, during: window) else {
                let allowed = gateway.oracle.history.versions(of: sector, during: window)
                throw Violation(
                    .readsReturnWhatWasWritten,
                    "#\(number): sector \(sector) holds stamp \(stamp); from \(window.lowerBound) to "
                        + "\(window.upperBound) it held \(allowed.map { "\($0.stamp)@\($0.position)" })")
            }
        }
        noteRead(range, gateway)
    }

    private func judgeMiscompare(
        _ number: Int, _ command: SimulatedCommand, _ byteOffset: Int, _ gateway: SimulatedGateway
    ) throws(Violation) {
        rare.add(.miscompare)
        try requireLease(number, gateway)
        guard byteOffset >= 0, let range = command.comparedRange, byteOffset < range.byteCount else {
            throw Violation(.compareAndWriteIsAtomic, "#\(number) differs at byte \(byteOffset)")
        }
        guard gateway.oracle.position(of: number) == 0 else {
            throw Violation(.compareAndWriteIsAtomic, "#\(number) is in the journal and answers MISCOMPARE")
        }
        let published = gateway.oracle.published
        let sector = range.start + UInt64(byteOffset / 512)
        let versions = gateway.oracle.history.versions(
            of: sector, during: min(command.knownPosition, published)...published)
        let expected = command.expected[byteOffset / 512]
        guard versions.contains(where: { !ledger.areAlike($0.stamp, expected, sector: sector) }) else {
            throw Violation(
                .compareAndWriteIsAtomic, "#\(number) differs in sector \(sector), which held \(expected) all the time")
        }
    }

    /// There was a moment at which all of it was as expected.
    private func judgeMatch(
        _ number: Int, _ command: SimulatedCommand, _ range: SectorRange, _ gateway: SimulatedGateway
    ) throws(Violation) {
        rare.add(.compareMatched)
        let history = gateway.oracle.history
        let published = gateway.oracle.published
        let window = min(command.knownPosition, published)...published
        var moments: Set<Int> = [window.lowerBound]
        for sector in range.start..<range.end {
            for version in history.versions(of: sector, during: window) where window.contains(version.position) {
                moments.insert(version.position)
            }
        }
        let matches = moments.contains { moment in
            command.expected.enumerated().allSatisfy { index, stamp in
                let sector = range.start + UInt64(index)
                return ledger.areAlike(history.version(of: sector, at: moment).stamp, stamp, sector: sector)
            }
        }
        guard matches else {
            throw Violation(
                .readsReturnWhatWasWritten,
                "#\(number) matches, but from \(window.lowerBound) to "
                    + "\(window.upperBound) \(range) never held that")
        }
    }

    private func judgeMediumError(
        _ number: Int, _ command: SimulatedCommand, _ sector: UInt64, _ gateway: SimulatedGateway
    ) throws(Violation) {
        let bodiesBreak = settings.storeRates.flippedBody > 0 || settings.storeRates.shortBody > 0
        guard gateway.disk.hasRot || settings.diskFaults.read > 0 || bodiesBreak else {
            throw Violation(.mediumErrorHasCause, "#\(number): sector \(sector) cannot be read")
        }
    }

    private func judgeRefusal(_ number: Int, _ what: String, _ gateway: SimulatedGateway) throws(Violation) {
        guard gateway.oracle.position(of: number) == 0 else {
            throw Violation(.refusedIsNotApplied, "#\(number) is in the journal and \(what)")
        }
    }
}

extension SimulatedCommand {
    /// Needs nothing of the journal's disk.
    fileprivate var onlyReads: Bool { !changesVolume && command != .flush }

    fileprivate var comparedRange: SectorRange? {
        switch command {
        case .compareAndWrite(let range), .compare(let range): range
        default: nil
        }
    }
}

extension VolumeReply {
    fileprivate var summary: String {
        switch self {
        case .good: "good"
        case .data(let buffer): "data (\(buffer.byteCount))"
        case .miscompare(let byteOffset): "miscompare at \(byteOffset)"
        case .aborted: "aborted"
        case .busy: "busy"
        case .outOfRange: "out of range"
        case .mediumError(let sector): "medium error at \(sector)"
        case .writeError: "write error"
        case .fenced: "fenced"
        }
    }
}
