// SPDX-License-Identifier: Apache-2.0
import Engine
import Platform
import SCSI
import Wire

/// An EXTENDED COPY that is being carried out, segment by segment: each is read as a whole and written as one command,
/// so that source and destination may overlap. Nothing of it leaves the cache manager. On the shard's thread.
final class CopyRun {
    private let operation: CopyOperation
    private let hosted: HostedVolume
    private unowned let shard: Shard
    private var done = 0
    private var isCancelled = false

    init(_ operation: CopyOperation, on hosted: HostedVolume, _ shard: Shard) {
        self.operation = operation
        self.hosted = hosted
        self.shard = shard
    }

    func start() {
        hosted.unit.copies.append(self)
        next()
    }

    /// Its command was aborted: no further segment is copied, and nobody waits for the answer.
    func cancel() { isCancelled = true }

    func isOf(_ nexus: NexusID) -> Bool { operation.origin.nexus == nexus }

    private func next() {
        guard !isCancelled else { return finish(isGood: false) }
        guard done < operation.segments.count else { return finish(isGood: true) }
        let segment = operation.segments[done]
        guard segment.sectors.count > 0 else {
            done += 1
            return next()
        }
        guard let source = shard.volumes[segment.source], let destination = shard.volumes[segment.destination],
            permits(source, isWriting: false), permits(destination, isWriting: true)
        else { return finish(isGood: false) }
        shard.submitOwn(.read(segment.sectors), to: source) { [self] reply in
            guard case .data(let buffer) = reply else { return finish(isGood: false) }
            let sectors = SectorRange(start: segment.destinationStart, count: segment.sectors.count)
            shard.submitOwn(.write(sectors, forceUnitAccess: false), payload: buffer, to: destination) { [self] reply in
                guard case .good = reply else { return finish(isGood: false) }
                done += 1
                next()
            }
        }
    }

    /// The command itself was admitted to the unit that it was sent to; what another one has against it, that one says.
    private func permits(_ other: HostedVolume, isWriting: Bool) -> Bool {
        other === hosted || other.unit.server.permitsCopy(writing: isWriting)
    }

    private func finish(isGood: Bool) {
        hosted.unit.copies.removeAll { $0 === self }
        let result = hosted.unit.server.finishCopy(operation, completedSegmentCount: done, isGood: isGood)
        let origin = RequestOrigin(frontend: operation.origin.frontend, number: operation.origin.number)
        shard.answer(origin, isCancelled ? .taskAborted : result, on: hosted)
    }
}
