// SPDX-License-Identifier: Apache-2.0
import Engine
import Glibc
import Platform
import TestSupport
import Wire

/// The disk's side of the effects: what begins now and completes later, in any order, or fails.
extension Simulation {
    func performDisk(_ effect: Effect, of gateway: SimulatedGateway) throws(Violation) {
        switch effect {
        case .prepareSegment(let token, let segment, let reusing):
            if reusing != nil { rare.add(.segmentRecycled) }
            trace.line(now, "g\(gateway.index) prepare \(segment)\(reusing.map { " from \($0)" } ?? "")")
            begin(.prepare(token, segment, reusing: reusing), on: gateway, after: 3 * spread(settings.diskNanoseconds))
        case .writeSegment(let token, let segment, let byteOffset, let buffer, let byteCount):
            guard gateway.disk.holds(segment) else {
                throw Violation(.effectsAreWellFormed, "a write to segment \(segment), which is not there")
            }
            let record = try observeWrite(segment, buffer, byteCount, gateway)
            if record == nil {
                gateway.sealing.insert(segment)
                trace.line(now, "g\(gateway.index) index of \(segment) at \(byteOffset)")
            }
            begin(
                .write(token, segment, byteOffset: byteOffset, buffer, byteCount: byteCount, record: record),
                on: gateway, after: spread(settings.diskNanoseconds))
        case .syncSegments(let token, let segments):
            guard segments.allSatisfy({ gateway.disk.holds($0) }) else {
                throw Violation(.effectsAreWellFormed, "a sync of \(segments), which are not all there")
            }
            let latency = 2 * spread(settings.diskNanoseconds)
            trace.line(now, "g\(gateway.index) sync \(segments.map(\.description).joined(separator: " "))")
            begin(.sync(token, segments, point: gateway.disk.syncPoint), on: gateway, after: latency)
        case .readSegment(let token, let segment, let byteOffset, let byteCount, let buffer, let bufferOffset):
            let piece = SimulatedGateway.Piece(
                segment: segment, byteOffset: byteOffset, byteCount: byteCount, bufferOffset: bufferOffset)
            try beginRead(token, [piece], buffer, gateway)
        case .readSegments(let token, let reads, let buffer):
            let pieces = reads.map { read in
                SimulatedGateway.Piece(
                    segment: read.segment, byteOffset: read.byteOffset, byteCount: read.byteCount,
                    bufferOffset: read.bufferOffset)
            }
            try beginRead(token, pieces, buffer, gateway)
        case .saveState(let token, let state):
            begin(.save(token, state), on: gateway, after: 2 * spread(settings.diskNanoseconds))
        default: preconditionFailure("not an effect on the disk")
        }
    }

    /// Memory for packs comes late, to whoever waits first.
    func givePacks(_ gateway: SimulatedGateway) {
        while let (_, token) = gateway.packs.next() {
            begin(.reserve(token), on: gateway, after: spread(settings.diskNanoseconds))
        }
    }

    private func beginRead(
        _ token: EffectToken, _ pieces: [SimulatedGateway.Piece], _ buffer: IOBuffer, _ gateway: SimulatedGateway
    ) throws(Violation) {
        for piece in pieces where !gateway.disk.holds(piece.segment) {
            throw Violation(.effectsAreWellFormed, "a read of segment \(piece.segment), which is not there")
        }
        begin(.read(token, pieces, buffer), on: gateway, after: spread(settings.diskNanoseconds))
    }

    private func begin(
        _ operation: SimulatedGateway.DiskOperation, on gateway: SimulatedGateway, after nanoseconds: Int
    ) {
        let number = gateway.nextOperation
        gateway.nextOperation += 1
        gateway.operations[number] = operation
        schedule(.disk(gateway: gateway.index, life: gateway.life, operation: number), after: nanoseconds)
    }

    /// Reads the order of commands from what the engine writes, with the production decoder.
    /// - Returns: the oracle's record, nil for a segment's index.
    private func observeWrite(
        _ segment: SegmentID, _ buffer: IOBuffer, _ byteCount: Int, _ gateway: SimulatedGateway
    ) throws(Violation) -> Int? {
        let body: JournalRecordBody?
        do { body = try JournalRecordBody(decoding: buffer, segment: segment) } catch {
            throw Violation(.effectsAreWellFormed, "a record that cannot be read: \(error)")
        }
        guard let body else { return nil }
        guard body.header.recordByteCount == byteCount else {
            throw Violation(.effectsAreWellFormed, "a record of \(body.header.recordByteCount) bytes in \(byteCount)")
        }
        if body.header.kind == .checkpoint { rare.add(.tableCheckpoint) }
        noteWaits(body, gateway)
        trace.note(4, body.header.sequence.rawValue, now)
        trace.line(
            now,
            "g\(gateway.index) record \(body.header.sequence.rawValue) \(body.header.kind) in \(segment): "
                + body.entries.map { ledger.number(of: $0.origin).map { "#\($0)" } ?? "?" }.joined(separator: " "))
        for entry in body.entries {
            guard let number = ledger.number(of: entry.origin), gateway.aborted.contains(number) else { continue }
            throw Violation(.refusedIsNotApplied, "#\(number) was aborted and is in the journal")
        }
        try requireRoom(for: body, gateway)
        let record = try gateway.oracle.willWrite(
            body.header, entries: body.entries, intent: body.intent, ledger: ledger)
        try judgeOrWrites(body, buffer, gateway)
        return record
    }

    /// What ORWRITE puts into the journal is what the sectors held at its place, and its own bits.
    private func judgeOrWrites(
        _ body: JournalRecordBody, _ buffer: IOBuffer, _ gateway: SimulatedGateway
    ) throws(Violation) {
        for entry in body.entries {
            guard let number = ledger.number(of: entry.origin), case .orWrite(let range) = ledger[number].command
            else { continue }
            let position = gateway.oracle.position(of: number)
            let start = body.header.headerByteCount + entry.ranges[0].dataOffset
            for index in 0..<Int(range.count) {
                let sector = range.start + UInt64(index)
                let stamp = gateway.oracle.history.version(of: sector, at: position).stamp
                if stamp >= SectorMixtures.first { rare.add(.orWriteAdded) }
                let bytes = unsafe UnsafeRawBufferPointer(buffer.bytes(start + index * 512..<start + (index + 1) * 512))
                guard unsafe ledger.holds(bytes, stamp, sector: sector) else {
                    throw Violation(
                        .orWriteIsAtomic, "#\(number) at \(position) does not write \(stamp) to sector \(sector)")
                }
            }
        }
    }

    func completeDisk(_ gateway: SimulatedGateway, _ number: Int) throws(Violation) {
        guard let operation = gateway.operations.removeValue(forKey: number) else { return }
        trace.note(5, UInt64(number), now)
        switch operation {
        case .prepare(let token, let segment, let reusing):
            var result = Result<Void, SystemError>.failure(SystemError(errorNumber: ENOSPC, call: "fallocate"))
            let isNew = reusing == nil && !gateway.disk.segmentIDs.contains(segment)
            // A restart may find even the reserve used up; then somebody makes a little room.
            let limit =
                settings.diskSegmentCount.map {
                    max($0, gateway.segmentCountAtBirth + 1) + gateway.life
                } ?? .max
            if isNew, gateway.isDiskFull || gateway.disk.segmentIDs.count >= limit {
                rare.add(.diskFull)
            } else {
                result = gateway.disk.prepare(segment, reusing: reusing)
            }
            try send(.segmentPrepared(token, result), to: gateway)
        case .write: try completeWrite(operation, gateway)
        case .sync(let token, let segments, let point): try completeSync(token, segments, point, gateway)
        case .read(let token, let pieces, let buffer): try completeRead(token, pieces, buffer, gateway)
        case .save(let token, let state):
            gateway.disk.save(state)
            gateway.savedCommit = state.head.commit
            trace.line(now, "g\(gateway.index) state saved: start \(state.start), commit \(state.head.commitNumber)")
            try send(.diskWrite(token, .success(())), to: gateway)
        case .reserve(let token): try send(.packReserved(token), to: gateway)
        }
    }

    private func completeRead(
        _ token: EffectToken, _ pieces: [SimulatedGateway.Piece], _ buffer: IOBuffer, _ gateway: SimulatedGateway
    ) throws(Violation) {
        if random.oneIn(settings.diskFaults.read), !isDraining {
            rare.add(.readFailed)
            return try send(.diskRead(token, .failure(SystemError(errorNumber: EIO, call: "pread"))), to: gateway)
        }
        for piece in pieces {
            let target = unsafe buffer.bytes(piece.bufferOffset..<piece.bufferOffset + piece.byteCount)
            let failure = unsafe gateway.disk.read(
                piece.segment, byteOffset: piece.byteOffset, into: target, direct: false)
            guard let failure else { continue }
            throw Violation(.effectsAreWellFormed, "segment \(piece.segment) cannot be read any more: \(failure)")
        }
        try send(.diskRead(token, .success(())), to: gateway)
    }

    private func completeWrite(
        _ operation: SimulatedGateway.DiskOperation, _ gateway: SimulatedGateway
    ) throws(Violation) {
        guard case .write(let token, let segment, let byteOffset, let buffer, let byteCount, let record) = operation
        else { return }
        if random.oneIn(settings.diskFaults.write), !isDraining {
            rare.add(.writeFailed)
            trace.line(now, "g\(gateway.index) write to \(segment) at \(byteOffset) fails")
            gateway.oracle.isJournalFailed = true
            return try send(.diskWrite(token, .failure(SystemError(errorNumber: EIO, call: "pwrite"))), to: gateway)
        }
        let bytes = unsafe UnsafeRawBufferPointer(buffer.bytes(0..<byteCount))
        switch unsafe gateway.disk.write(segment, byteOffset: byteOffset, bytes) {
        case .success(let receipt):
            if let record { gateway.oracle.didWrite(record, receipt) }
            try send(.diskWrite(token, .success(())), to: gateway)
        case .failure(let error): throw Violation(.effectsAreWellFormed, "a write that no disk can do: \(error)")
        }
    }

    private func completeSync(
        _ token: EffectToken, _ segments: [SegmentID], _ point: UInt32, _ gateway: SimulatedGateway
    ) throws(Violation) {
        if random.oneIn(settings.diskFaults.sync), !isDraining {
            rare.add(.syncFailed)
            trace.line(now, "g\(gateway.index) sync of \(segments) fails")
            for segment in segments { gateway.disk.failSync(segment, random: &random) }
            gateway.oracle.isJournalFailed = true
            gateway.oracle.isCacheLossy = true
            return try send(
                .diskWrite(token, .failure(SystemError(errorNumber: EIO, call: "fdatasync"))), to: gateway)
        }
        for segment in segments {
            guard gateway.disk.sync(segment, through: point, random: &random) else {
                throw Violation(.effectsAreWellFormed, "segment \(segment) went away while it was synced")
            }
            if gateway.sealing.remove(segment) != nil { gateway.sealed.insert(segment) }
        }
        try send(.diskWrite(token, .success(())), to: gateway)
    }
}
