// SPDX-License-Identifier: Apache-2.0
package import Engine
import Platform
import SCSI
import Wire

/// How volumes come into the shard and leave it.
extension Shard {
    package func volume(named name: String) -> HostedVolume? { volumes.values.first { $0.name == name } }

    /// In the order of their names, for lists.
    package var sortedVolumes: [HostedVolume] { volumes.values.sorted { ($0.name, $0.id) < ($1.name, $1.id) } }

    func reservations(except replaced: VolumeID?) -> [VolumeAdmission.Existing] {
        volumes.values.filter { $0.id != replaced }.map(\.reservation)
    }

    // MARK: Opening

    /// A volume of the registry: recovers its journal on a disk thread, then opens it. `then` hears when its engine
    /// exists or why it never will; the volume is listed either way.
    package func resume(_ state: LocalState, then finish: @escaping (HostedVolume) -> Void) {
        let hosted = host(state.head)
        let (journals, limits, cuts) = (journals, hosted.limits, snapshots.cuts(of: hosted.id))
        let registry = registry
        disk.run { () -> Result<RecoveredFiles, any Error> in
            Result { try RecoveredFiles(state, cuts: cuts, registry: registry, journals: journals, limits: limits) }
        } then: { result in
            switch result {
            case .success(let recovered):
                hosted.whenOpen.append { [unowned self] _ in sanitize(hosted) }
                hosted.limits = recovered.limits
                for (id, segment) in recovered.segments { hosted.journal.adopt(segment, as: id) }
                self.open(hosted, .resume(state, recovered.journal))
                hosted.unit.take(recovered.unit, of: LogicalUnit(hosted), powerOn: self.settings.powerOn)
                self.whenSaved(hosted) {}
                self.snapshots.resume(hosted)
            case .failure(let error):
                hosted.problem = "its local files cannot be used: \(error)"
            }
            finish(hosted)
            self.announceOpening(of: hosted)
            self.settle()
        }
    }

    /// A volume that must not be opened: listed as failed, so that it is not forgotten.
    package func list(unusable head: Head, problem: String) -> HostedVolume {
        let hosted = host(head)
        hosted.problem = problem
        return hosted
    }

    /// A new volume or one that is taken over; `whenOpen` hears whether the bucket agreed.
    package func open(
        _ opening: VolumeOpening, head: Head, errand: HostedVolume.Errand,
        whenOpen: @escaping (HostedVolume, Result<Void, VolumeFailure>) -> Void
    ) {
        precondition(volumes[head.volume] == nil, "the volume is here already")
        let hosted = host(head)
        hosted.unit.take(nil, of: LogicalUnit(hosted), powerOn: settings.powerOn)
        hosted.errand = errand
        hosted.whenOpen.append { outcome in
            hosted.errand = .none
            whenOpen(hosted, outcome)
        }
        open(hosted, opening)
    }

    private func host(_ head: Head) -> HostedVolume {
        var limits = settings.limits
        limits.bufferByteCount = head.uploadBufferByteCount
        let unit = HostedUnit(LogicalUnit(head), powerOn: settings.powerOn)
        let hosted = HostedVolume(
            id: head.volume, head: head, limits: limits, journal: SegmentFiles(volume: head.volume), unit: unit)
        volumes[head.volume] = hosted
        return hosted
    }

    private func open(_ hosted: HostedVolume, _ opening: VolumeOpening) {
        hosted.engine = Volume(opening, limits: hosted.limits, seed: randomNumber(), at: now)
        touch(hosted)
        shareMemory()
    }

    /// Evenly among the volumes that are open now.
    private func shareMemory() {
        let engines = volumes.values.compactMap(\.engine)
        for engine in engines {
            engine.share(
                frameCacheByteCount: settings.limits.frameCacheByteCount / engines.count,
                nodeCacheByteCount: settings.limits.nodeCacheByteCount / engines.count)
        }
    }

    /// Calls when the volume's engine is open, or never will be; what was asked of a unit before waits for that.
    func whenOpened(_ hosted: HostedVolume, _ call: @escaping () -> Void) {
        guard hosted.openingOutcome() == nil else { return call() }
        hosted.whenOpen.append { _ in call() }
    }

    // MARK: Leaving

    /// Takes the volume out of the shard at once and its files off the disk. Only after its engine has finished.
    package func remove(_ hosted: HostedVolume, then finish: @escaping (Result<Void, any Error>) -> Void) {
        takeOut(hosted) { self.removeFiles(of: hosted, then: finish) }
    }

    /// Takes a volume that serves nobody any more out of the shard, and what lies on the disk under its id out of the
    /// way; nothing is deleted. There need be neither.
    /// - Parameter finish: hears where the files are now.
    func setAside(_ volume: VolumeID, then finish: @escaping (Result<[String], any Error>) -> Void) {
        let (registry, journals, moment) = (registry, journals, now.wallMilliseconds)
        let move = {
            self.disk.run { () -> Result<[String], any Error> in
                Result {
                    // The journal last: with a state and no journal the volume would serve without what it had written.
                    try registry.setAside(volume, moment: moment)
                    return try journals.setAside(volume, moment: moment)
                }
            } then: { result in
                finish(result)
                self.settle()
            }
        }
        guard let hosted = volumes[volume] else { return move() }
        takeOut(hosted, then: move)
    }

    private func takeOut(_ hosted: HostedVolume, then finish: @escaping () -> Void) {
        volumes[hosted.id] = nil
        hosted.engine = nil
        for finish in ownRequests.take(of: hosted.id, lane: nil, where: { _ in true }) { finish(.writeError) }
        shareMemory()
        snapshots.volumeLeft(hosted)
        // Tokens begin again with the next engine of this volume: no result of this one may reach it.
        dispatcher.forget(of: hosted.id)
        packs.forget(hosted.id)
        givePacks()
        cache.cache.forget(hosted.id)
        // A state saved or a segment made after the removal would be there at the next start.
        guard hosted.diskJobCount == 0 else {
            hosted.whenIdle = finish
            return
        }
        finish()
    }

    private func removeFiles(of hosted: HostedVolume, then finish: @escaping (Result<Void, any Error>) -> Void) {
        let (registry, journals, volume) = (registry, journals, hosted.id)
        disk.run { () -> Result<Void, any Error> in
            Result {
                try registry.beginRemoval(of: volume)
                try journals.remove(volume)
                try registry.finishRemoval(of: volume)
            }
        } then: { result in
            finish(result)
            self.settle()
        }
    }
}
