// SPDX-License-Identifier: Apache-2.0
import Platform
import Wire

/// A command whose effect depends on what is there (COMPARE AND WRITE, ORWRITE), between its arrival and its answer;
/// nothing else may change its sectors meanwhile.
struct ReadModifyWrite {
    enum Outcome {
        /// These bytes of a buffer.
        case write(IOBuffer, Range<Int>)
        case miscompare(byteOffset: Int)
    }

    var request: VolumeRequest
    var sectors: SectorRange
    var payload: IOBuffer
    /// Reads once everything placed before it is published.
    var afterOrdinal: UInt64
    /// Reads what is there now; an answer to another operation is to an earlier arrival of the same request.
    var operation: ReadOperation?
    /// In the journal, not published yet: nothing can take it back.
    var isWriting = false

    /// What the command makes of what is there. May use the buffer for it.
    func outcome(for current: IOBuffer) -> Outcome {
        if case .orWrite = request.command {
            unsafe Self.add(UnsafeRawBufferPointer(payload.bytes), to: current.bytes)
            return .write(current, 0..<sectors.byteCount)
        }
        if let difference = payload.firstDifference(from: current, byteCount: sectors.byteCount) {
            return .miscompare(byteOffset: difference)
        }
        return .write(payload, sectors.byteCount..<2 * sectors.byteCount)
    }

    /// Sets the bits that are set in `bits`; both are whole sectors.
    private static func add(_ bits: UnsafeRawBufferPointer, to target: UnsafeMutableRawBufferPointer) {
        for byteOffset in stride(from: 0, to: min(bits.count, target.count), by: 8) {
            let word =
                unsafe bits.loadUnaligned(fromByteOffset: byteOffset, as: UInt64.self)
                | target.loadUnaligned(fromByteOffset: byteOffset, as: UInt64.self)
            unsafe target.storeBytes(of: word, toByteOffset: byteOffset, as: UInt64.self)
        }
    }
}

extension Volume {
    /// Takes an admitted command that reads before it writes.
    func modify(
        _ sectors: SectorRange, _ request: VolumeRequest, _ payload: UnsafeRawBufferPointer, at time: EngineTime
    ) {
        modifications[request.origin] = unsafe ReadModifyWrite(
            request: request, sectors: sectors, payload: IOBuffer(copying: payload), afterOrdinal: journal.lastOrdinal)
        startModifications(at: time)
    }

    /// Whether the command has to wait for one that reads what it would change.
    func isLocked(_ command: VolumeCommand) -> Bool {
        guard !modifications.isEmpty, !mutants.contains(.modifyWithoutLock) else { return false }
        return modifications.values.contains { command.changes($0.sectors) }
    }

    /// Starts the reads of commands whose predecessors are all published.
    func startModifications(at time: EngineTime) {
        // One that ends at once lets others start, so each is looked at anew.
        for origin in modifications.keys.sorted(by: { ($0.frontend, $0.number) < ($1.frontend, $1.number) }) {
            guard let modification = modifications[origin], modification.operation == nil,
                journal.publishedOrdinal >= modification.afterOrdinal
            else { continue }
            let operation = ReadOperation(
                purpose: .modify(origin), sectors: modification.sectors,
                deadline: time.nanoseconds + limits.holdNanoseconds)
            modifications[origin]?.operation = operation
            start(operation, at: time)
        }
    }

    /// The current contents are known: write, or answer MISCOMPARE.
    func finishModification(_ origin: RequestOrigin, with operation: ReadOperation, at time: EngineTime) {
        guard let modification = modifications[origin], modification.operation === operation else {
            return  // Dropped by a barrier.
        }
        if let failure = operation.failure {
            finish(origin, failure.isTransient ? .busy : .mediumError(sector: failure.sector))
        } else {
            switch modification.outcome(for: operation.buffer) {
            case .miscompare(let byteOffset): finish(origin, .miscompare(byteOffset: byteOffset))
            case .write(let buffer, let range):
                // Stays locked until it is published.
                modifications[origin]?.isWriting = true
                _ = unsafe journal.appendWrite(
                    modification.sectors, origin: origin, forceUnitAccess: modification.request.forceUnitAccess,
                    data: UnsafeRawBufferPointer(buffer.bytes(range)))
                if mutants.contains(.acknowledgeBeforePublish) { finish(origin, .good) }
                return
            }
        }
        unlock(origin, at: time)
    }

    /// The command is over; what waited for it tries again, in order.
    func unlock(_ origin: RequestOrigin, at time: EngineTime) {
        guard modifications.removeValue(forKey: origin) != nil else { return }
        releaseBlocked(at: time)
    }

    func releaseBlocked(at time: EngineTime) {
        let waiting = blocked
        blocked = []
        for request in waiting {
            unsafe admit(
                request.request, UnsafeRawBufferPointer(request.payload.bytes), since: request.submittedAt, at: time)
        }
    }

    // MARK: Comparing alone

    /// Changes nothing, so it needs no turn and is in no table.
    func compare(
        _ sectors: SectorRange, with payload: UnsafeRawBufferPointer, for origin: RequestOrigin, at time: EngineTime
    ) {
        statisticsCounters.readCount += 1
        statisticsCounters.readByteCount += UInt64(sectors.byteCount)
        let expected = IOBuffer(byteCount: sectors.byteCount)
        for offset in unsafe stride(from: 0, to: payload.isEmpty ? 0 : sectors.byteCount, by: max(1, payload.count)) {
            unsafe expected.copy(payload, to: offset)
        }
        startCompare(
            sectors, with: expected, for: origin,
            deadline: time.nanoseconds + limits.holdNanoseconds, at: time)
    }

    private func startCompare(
        _ sectors: SectorRange, with expected: IOBuffer, for origin: RequestOrigin, deadline: UInt64,
        at time: EngineTime
    ) {
        start(
            ReadOperation(purpose: .compare(origin, expected), sectors: sectors, deadline: deadline), at: time)
    }

    func finishCompare(
        _ origin: RequestOrigin, _ expected: IOBuffer, with operation: ReadOperation, at time: EngineTime
    ) {
        if case .fenced = phase {
            reply(origin, .fenced)
        } else if operation.isOfSeveralImages, operation.deadline > time.nanoseconds {
            startCompare(operation.sectors, with: expected, for: origin, deadline: operation.deadline, at: time)
        } else if let failure = operation.failure {
            reply(origin, failure.isTransient ? .busy : .mediumError(sector: failure.sector))
        } else if operation.isOfSeveralImages {
            reply(origin, .busy)
        } else {
            noteAnswered(operation)
            let difference = expected.firstDifference(from: operation.buffer, byteCount: operation.sectors.byteCount)
            reply(origin, difference.map { .miscompare(byteOffset: $0) } ?? .good)
        }
    }
}

extension IOBuffer {
    fileprivate func firstDifference(from other: IOBuffer, byteCount: Int) -> Int? {
        guard !isEqual(to: other, byteCount: byteCount) else { return nil }
        return (0..<byteCount).first { load(UInt8.self, at: $0) != other.load(UInt8.self, at: $0) }
    }
}
