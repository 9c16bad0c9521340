// SPDX-License-Identifier: Apache-2.0
package import Engine
package import Messages
package import Platform
package import Wire

/// Who waits for a job's result.
package enum JobOwner: Hashable, Sendable {
    case volume(VolumeID, EffectToken)
    /// The read cache, which asks once for all that want the same; frames in the order in which the job names them.
    case cache([FrameReference])
    /// A request of the control plane, by the number it drew.
    case control(UInt64)
}

/// Hands bucket jobs to uploaders (ARCHITECTURE §3): two lanes with their own slots so that reads never queue behind
/// uploads, the least loaded uploader first. Reads that nobody waits for yet go out only while no other read waits, and
/// leave half of an uploader's slots alone, so that the next one finds one free. A job whose uploader is lost
/// is never repeated under the same name: the engine hears of it and decides; reads are simply given to another.
///
/// Sans-I/O and owned by the shard: time comes in as nanoseconds of the monotonic clock, actions come out.
package struct UploadDispatcher {
    package typealias Lane = UploadJob.Lane

    package struct Limits: Sendable {
        /// An uploader heard nothing from for this long is lost; it announces itself once a second. For one that hangs:
        /// that a process ended is told by the end of its connection, at once.
        package var silenceNanoseconds: UInt64 = 5_000_000_000
        /// Given to an uploader beyond the job's own timeout before the job counts as lost.
        package var graceNanoseconds: UInt64 = 2_000_000_000
        /// A read is given up after this many uploaders were lost under it.
        package var readAttempts = 4
        /// An announcement is exact when nothing was sent to the uploader for this long.
        package var settleNanoseconds: UInt64 = 250_000_000
        package init() {}
    }

    package struct Job {
        package let id: UInt64
        package let owner: JobOwner
        package let work: UploadJob.Work
        package let payload: IOBuffer?
        package let timeoutMilliseconds: UInt32
        package let lane: Lane
        /// A read that nobody waits for.
        package fileprivate(set) var isBackground: Bool
        package fileprivate(set) var attempts = 0
        package fileprivate(set) var uploader: ServiceInstance?
        fileprivate var deadline: UInt64 = 0
    }

    package enum Action {
        case send(Job, to: ServiceInstance)
        /// The job ended without a result: tell its owner.
        case finish(Job, UploadResult.Outcome)
    }

    private struct Uploader {
        var lastHeard: UInt64
        var lastSent: UInt64 = 0
        var slots: [Int]
        var outstanding = [0, 0]

        func free(_ lane: Lane) -> Int { slots[lane.rawValue] - outstanding[lane.rawValue] }
    }

    private let limits: Limits
    private var uploaders: [ServiceInstance: Uploader] = [:]
    private var jobs: [UInt64: Job] = [:]
    private var queues: [[UInt64]] = [[], []]
    private var background: [UInt64] = []
    private var nextID: UInt64 = 1
    private var actions: [Action] = []
    /// Jobs that ended as lost, since the start.
    package private(set) var lostJobCount: UInt64 = 0

    package init(limits: Limits = Limits()) { self.limits = limits }

    package var uploaderCount: Int { uploaders.count }
    package var queuedJobCount: Int { queues[0].count + queues[1].count + background.count }
    package var runningJobCount: Int { jobs.count - queuedJobCount }

    /// Why jobs wait, for people; nil when nothing is wrong.
    package var waitingReason: String? {
        guard uploaders.isEmpty else { return nil }
        return "no uploader is connected; the bucket cannot be reached until one is started (sluice-uploader)"
    }

    /// Queues a job and returns its number.
    @discardableResult
    package mutating func submit(
        _ work: UploadJob.Work, payload: IOBuffer?, timeoutMilliseconds: UInt32, owner: JobOwner,
        isBackground: Bool = false, at now: UInt64
    ) -> UInt64 {
        let id = nextID
        nextID += 1
        let lane = work.lane
        jobs[id] = Job(
            id: id, owner: owner, work: work, payload: payload, timeoutMilliseconds: timeoutMilliseconds, lane: lane,
            isBackground: isBackground && lane == .read)
        enqueue(id, first: false)
        assign(at: now)
        return id
    }

    /// Somebody waits for it now.
    package mutating func hasten(_ id: UInt64, at now: UInt64) {
        guard let job = jobs[id], job.isBackground else { return }
        jobs[id]?.isBackground = false
        guard job.uploader == nil else { return }
        background.removeAll { $0 == id }
        enqueue(id, first: false)
        assign(at: now)
    }

    private mutating func enqueue(_ id: UInt64, first: Bool) {
        guard let job = jobs[id] else { return }
        if job.isBackground {
            background.insert(id, at: first ? 0 : background.endIndex)
        } else {
            let queue = job.lane.rawValue
            queues[queue].insert(id, at: first ? 0 : queues[queue].endIndex)
        }
    }

    package func owner(of id: UInt64) -> JobOwner? { jobs[id]?.owner }

    /// The owner no longer wants a result. A job that runs already is left to end unheard.
    package mutating func forget(_ id: UInt64) {
        guard let job = jobs.removeValue(forKey: id) else { return }
        if let uploader = job.uploader {
            uploaders[uploader]?.outstanding[job.lane.rawValue] -= 1
        } else {
            queues[job.lane.rawValue].removeAll { $0 == id }
            background.removeAll { $0 == id }
        }
    }

    package mutating func forget(of volume: VolumeID) {
        for job in jobs.values {
            if case .volume(volume, _) = job.owner { forget(job.id) }
        }
    }

    /// An uploader announced its free slots. What it counted may be older than what was sent to it since, so the
    /// announcement only lowers the estimate while jobs are on their way.
    package mutating func ready(_ announcement: UploaderReady, from instance: ServiceInstance, at now: UInt64) {
        var uploader = uploaders[instance] ?? Uploader(lastHeard: now, slots: [0, 0])
        let isNew = uploaders[instance] == nil
        let free = [Int(announcement.freeReadSlots), Int(announcement.freeWriteSlots)]
        let isExact = isNew || now &- uploader.lastSent >= limits.settleNanoseconds
        for lane in 0..<2 {
            let total = free[lane] + uploader.outstanding[lane]
            uploader.slots[lane] = isExact ? total : min(uploader.slots[lane], total)
        }
        uploader.lastHeard = now
        uploaders[instance] = uploader
        assign(at: now)
    }

    /// A result came in. Returns the job it ends; nil for one that was given to another meanwhile.
    package mutating func result(id: UInt64, from instance: ServiceInstance, at now: UInt64) -> Job? {
        uploaders[instance]?.lastHeard = now
        guard let job = jobs[id], job.uploader == instance else { return nil }
        jobs[id] = nil
        uploaders[instance]?.outstanding[job.lane.rawValue] -= 1
        assign(at: now)
        return job
    }

    /// The uploader's connection is gone or it restarted.
    package mutating func lost(_ instance: ServiceInstance, at now: UInt64) {
        guard uploaders.removeValue(forKey: instance) != nil else { return }
        for job in jobs.values.filter({ $0.uploader == instance }).sorted(by: { $0.id < $1.id }).reversed() {
            abandon(job, reason: "uploader lost")
        }
        assign(at: now)
    }

    package mutating func advance(to now: UInt64) {
        for instance in uploaders.keys.sorted() {
            guard let uploader = uploaders[instance] else { continue }
            if now &- uploader.lastHeard >= limits.silenceNanoseconds { lost(instance, at: now) }
        }
        for job in jobs.values.filter({ $0.uploader != nil && $0.deadline <= now }).sorted(by: { $0.id < $1.id }) {
            if let uploader = job.uploader { uploaders[uploader]?.outstanding[job.lane.rawValue] -= 1 }
            abandon(job, reason: "the uploader did not answer in time")
        }
        assign(at: now)
    }

    /// When `advance` is due.
    package var nextDeadline: UInt64? {
        // Asked in every round of the loop: plain walks, because closures would capture a copy of the whole.
        var earliest: UInt64?
        for uploader in uploaders.values {
            earliest = min(earliest ?? .max, uploader.lastHeard + limits.silenceNanoseconds)
        }
        for job in jobs.values where job.uploader != nil { earliest = min(earliest ?? .max, job.deadline) }
        return earliest
    }

    package mutating func takeActions(_ taken: inout [Action]) {
        taken.append(contentsOf: actions)
        actions.removeAll(keepingCapacity: true)
    }

    private mutating func assign(at now: UInt64) {
        for lane in Lane.allCases {
            var taken = 0
            let queue = queues[lane.rawValue]
            while taken < queue.count, let instance = leastLoaded(lane) {
                send(queue[taken], to: instance, at: now)
                taken += 1
            }
            if taken > 0 { queues[lane.rawValue].removeFirst(taken) }
        }
        guard queues[Lane.read.rawValue].isEmpty else { return }
        var taken = 0
        while taken < background.count, let instance = leastLoaded(.read),
            let uploader = uploaders[instance], uploader.free(.read) > uploader.slots[Lane.read.rawValue] / 2
        {
            send(background[taken], to: instance, at: now)
            taken += 1
        }
        if taken > 0 { background.removeFirst(taken) }
    }

    private mutating func send(_ id: UInt64, to instance: ServiceInstance, at now: UInt64) {
        guard var job = jobs[id] else { return }
        job.uploader = instance
        job.attempts += 1
        job.deadline = now + UInt64(job.timeoutMilliseconds) * 1_000_000 + limits.graceNanoseconds
        jobs[id] = job
        uploaders[instance]?.outstanding[job.lane.rawValue] += 1
        uploaders[instance]?.lastSent = now
        actions.append(.send(job, to: instance))
    }

    /// The uploader with the most free slots; ties go to the lowest instance so that a run can be repeated.
    private func leastLoaded(_ lane: Lane) -> ServiceInstance? {
        uploaders.filter { $0.value.free(lane) > 0 }
            .max { ($0.value.free(lane), $1.key) < ($1.value.free(lane), $0.key) }?.key
    }

    /// Ends or re-queues a job whose uploader will not answer. Callers have taken it off the uploader's count.
    private mutating func abandon(_ job: Job, reason: String) {
        lostJobCount += 1
        if job.lane == .read, job.attempts < limits.readAttempts {
            var again = job
            again.uploader = nil
            jobs[job.id] = again
            enqueue(job.id, first: true)
            return
        }
        jobs[job.id] = nil
        let outcome: UploadResult.Outcome
        switch job.work {
        // The engine puts the pack again under a new name, so whether this one landed does not matter.
        case .putPack: outcome = .unavailable(reason: reason)
        // Whether the object was written is unknown: the engine looks before it tries again.
        case .putObject: outcome = .ambiguous(reason: reason)
        case .getObject, .getRange, .getFrames, .listFolders, .probe: outcome = .unavailable(reason: reason)
        }
        actions.append(.finish(job, outcome))
    }
}
