// SPDX-License-Identifier: Apache-2.0
import Engine
import Platform
import SCSI
import Wire

/// An EXTENDED COPY that is being carried out, segment by segment: each is read as a whole and written as one command,
/// so that source and destination may overlap. Nothing of it leaves the cache manager. On the shard's thread.
final class CopyRun {
    /// How a copy ends before its time.
    enum Stop {
        /// Its frontend may send the command again, and then it goes on: a segment is written once, since it may have
        /// overwritten its own source.
        case hold
        /// Nobody waits for an answer any more.
        case drop
        /// Answered with TASK ABORTED.
        case abort
    }

    private let operation: CopyOperation
    private let hosted: HostedVolume
    private unowned let shard: Shard
    /// Tells this run's writes from all others.
    private let lane: UInt64
    private var doneSegmentCount = 0
    private var hasFailed = false
    private var isHeld = false
    /// What is read for an earlier step is not written any more.
    private var step = 0
    /// The volume that is being written to.
    private var destination: HostedVolume?
    private var whenStill: [() -> Void] = []

    init(_ operation: CopyOperation, on hosted: HostedVolume, _ shard: Shard) {
        self.operation = operation
        self.hosted = hosted
        self.shard = shard
        lane = shard.drawNumber()
    }

    var nexus: NexusID { operation.origin.nexus }
    func isOf(_ frontend: ServiceInstance) -> Bool { operation.origin.frontend == frontend }
    func isOf(_ origin: CommandOrigin) -> Bool { operation.origin.request == origin.request }

    /// Its frontend has closed the book on it, as the command of a task that was aborted.
    func isObsolete(to origin: CommandOrigin) -> Bool {
        isOf(origin.frontend) && operation.origin.number < origin.lowestOpenNumber
    }

    func start() {
        hosted.unit.copies.append(self)
        next()
    }

    /// After `hold`.
    func resume() {
        guard isHeld, destination == nil else { return }
        isHeld = false
        next()
    }

    /// Begins nothing more; calls when nothing of it can be applied any more.
    func stop(_ stop: Stop, then call: @escaping () -> Void) {
        isHeld = true
        step += 1
        let end = { [self] in
            switch stop {
            case .hold: break
            case .drop: leave(.taskAborted)
            case .abort: answer(leave(.taskAborted))
            }
            call()
        }
        guard let destination else { return end() }
        whenStill.append(end)
        guard whenStill.count == 1 else { return }
        shard.takeBack(lane, from: destination)
    }

    private func next() {
        guard !isHeld else { return stand() }
        guard !hasFailed, doneSegmentCount < operation.segments.count else { return answer(leave(nil)) }
        let segment = operation.segments[doneSegmentCount]
        guard segment.sectors.count > 0 else {
            doneSegmentCount += 1
            return next()
        }
        guard let source = shard.volumes[segment.source], permits(source, isWriting: false) else { return fail() }
        step += 1
        let step = step
        shard.submitOwn(.read(segment.sectors), lane: lane, to: source) { [self] reply in
            guard self.step == step else { return }
            guard case .data(let buffer) = reply else { return fail() }
            write(buffer, segment)
        }
    }

    private func write(_ buffer: IOBuffer, _ segment: CopyOperation.Segment) {
        guard let volume = shard.volumes[segment.destination], permits(volume, isWriting: true) else { return fail() }
        destination = volume
        let sectors = SectorRange(start: segment.destinationStart, count: segment.sectors.count)
        shard.submitOwn(.write(sectors), payload: buffer, lane: lane, to: volume) {
            [self] reply in
            destination = nil
            switch reply {
            case .good: doneSegmentCount += 1
            // Taken back before it was applied.
            case .aborted: break
            default: hasFailed = true
            }
            next()
        }
    }

    private func fail() {
        hasFailed = true
        next()
    }

    private func stand() {
        let calls = whenStill
        whenStill = []
        for call in calls { call() }
    }

    /// Asked before each read and each write: reservations and protection may have changed since the last one.
    private func permits(_ volume: HostedVolume, isWriting: Bool) -> Bool {
        let nexus = volume === hosted ? operation.origin.nexus : nil
        return volume.unit.server.permitsCopy(writing: isWriting, of: nexus)
    }

    /// - Parameter result: what ended it before its time; nil: it came to its end.
    @discardableResult private func leave(_ result: CommandResult?) -> CommandResult {
        hosted.unit.copies.removeAll { $0 === self }
        let isGood = result == nil && !hasFailed
        return hosted.unit.server.finishCopy(
            operation, completedSegmentCount: doneSegmentCount, isGood: isGood, as: result)
    }

    private func answer(_ result: CommandResult) {
        shard.answer(operation.origin.request, result, on: hosted)
    }
}
