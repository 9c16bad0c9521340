// SPDX-License-Identifier: Apache-2.0
package import Engine
import TestSupport
import Wire

/// A cut as the cache manager writes it down: on the disk from the cut until its HEAD is kept elsewhere.
package struct PromisedCut: Equatable {
    package var point: CutPoint
    /// The last command in it.
    package var position: Int
    /// Somebody was told that it will be had, whatever happens to the machine.
    package var isPromised = false
}

/// Cuts for snapshots: at their instant, and kept over every death of the process and every power cut.
extension Simulation {
    func cut(_ gateway: SimulatedGateway) throws(Violation) {
        guard let volume = gateway.volume else { return }
        let caller = nextCaller()
        let point: CutPoint
        do throws(CutRefusal) { point = try volume.cut(caller: caller, at: engineTime) } catch { return }
        let position = gateway.oracle.position(at: point.sequence)
        trace.line(now, "g\(gateway.index) is cut at \(position), record \(point.sequence.rawValue)")
        guard position == gateway.oracle.published else {
            throw Violation(
                .cutIsOfItsInstant, "cut at \(position), but \(gateway.oracle.published) commands were published")
        }
        rare.add(.cut)
        gateway.callers[caller] = .cut
        gateway.cuts[caller] = caller.rawValue
        gateway.disk.promise(PromisedCut(point: point, position: position), as: caller.rawValue)
    }

    func cutDurable(_ caller: CallerToken, _ gateway: SimulatedGateway) throws(Violation) {
        guard let id = gateway.cuts[caller], var cut = gateway.disk.cuts[id] else { return }
        gateway.oracle.refreshDurable(gateway.disk)
        guard gateway.oracle.durable >= cut.position else {
            throw Violation(
                .flushedIsDurable,
                "a cut at \(cut.position) is promised, but only \(gateway.oracle.durable) would survive")
        }
        cut.isPromised = true
        gateway.disk.promise(cut, as: id)
    }

    /// Its HEAD landed: exactly what was there at the cut. It is kept a little later.
    func cutFinished(_ caller: CallerToken, _ head: Head, _ gateway: SimulatedGateway) throws(Violation) {
        guard let id = gateway.cuts[caller], let cut = gateway.disk.cuts[id] else { return }
        let position = gateway.oracle.position(at: head.journalSequence)
        guard position == cut.position else {
            throw Violation(
                .cutIsOfItsInstant, "HEAD \(head.commitNumber) is of \(position), the cut of \(cut.position)")
        }
        gateway.unkept[caller] = head
        schedule(
            .action(gateway: gateway.index, life: gateway.life, .keep(caller)),
            after: spread(random.oneIn(3) ? 60_000_000 : 500_000))
    }

    func keep(_ caller: CallerToken, _ gateway: SimulatedGateway) throws(Violation) {
        guard let id = gateway.cuts[caller], let head = gateway.unkept.removeValue(forKey: caller),
            let cut = gateway.disk.cuts[id]
        else { return }
        rare.add(.cutKept)
        gateway.disk.promise(nil, as: id)
        if retained.count < 8 {
            retained.append(RetainedHead(head: head, gateway: gateway.index, position: cut.position))
        }
        gateway.volume?.didKeep(caller, at: engineTime)
        try drain(gateway)
    }

    /// After a restart: what was promised goes on.
    func resumeCuts(_ gateway: SimulatedGateway) throws(Violation) {
        guard let volume = gateway.volume else { return }
        for (id, cut) in gateway.disk.cuts.sorted(by: { $0.key < $1.key }) {
            let caller = nextCaller()
            if volume.resumeCut(caller: caller, at: cut.point.sequence) {
                rare.add(volume.head.journalSequence == cut.point.sequence ? .cutFoundCommitted : .cutResumed)
                gateway.callers[caller] = .cut
                gateway.cuts[caller] = id
            } else if cut.isPromised {
                throw Violation(
                    .promisedCutIsKept,
                    "g\(gateway.index) lost its cut at \(cut.position); HEAD is of "
                        + "\(gateway.oracle.position(at: volume.head.journalSequence))")
            } else {
                gateway.disk.promise(nil, as: id)
            }
        }
    }
}
