// SPDX-License-Identifier: Apache-2.0
import Engine
import Platform
import Wire

/// One machine that owns or owned the volume: its disk, the engine of its present life, and what the oracle expects.
final class SimulatedGateway {
    enum Status {
        /// The engine is not running; a restart is scheduled.
        case down
        case running
        /// It will not run again: fenced, wiped, or replaced by a copy.
        case retired
    }

    /// What the disk has begun and not completed.
    enum DiskOperation {
        case prepare(EffectToken, SegmentID, reusing: SegmentID?)
        /// `record`: of the oracle; nil for an index.
        case write(EffectToken, SegmentID, byteOffset: Int, IOBuffer, byteCount: Int, record: Int?)
        case sync(EffectToken, [SegmentID], point: UInt32)
        case read(EffectToken, [Piece], IOBuffer)
        case save(EffectToken, LocalState)
        case reserve(EffectToken)
    }

    /// One contiguous part of a read.
    struct Piece {
        var segment: SegmentID
        var byteOffset: Int
        var byteCount: Int
        var bufferOffset: Int
    }

    /// What waits for the next batch of the engine.
    enum Message {
        case request(command: Int, lowestOpenNumber: UInt64)
        case barrier(frontend: Int, nexus: UInt64, CallerToken)
        /// Of one nexus or of all.
        case abort(nexus: UInt64?)
        case provisioning(from: UInt64, limit: Int)
        case amend(HeadChange)
    }

    /// Why the volume was called.
    enum Caller {
        case commit(known: Int)
        case cut
        case stop(known: Int)
        case barrier(frontend: Int, commands: [Int])
        /// Changes that had arrived and were not answered.
        case abort(commands: [Int])
        /// What had been acknowledged then.
        case provisioning(from: UInt64, limit: Int, known: Int)
        case amend(HeadChange)
    }

    let index: Int
    let id: GatewayID
    var disk: SimulatedDisk
    var oracle: GatewayOracle
    var volume: Volume?
    /// Begins anew with each life; what its disk holds stays, unless it is lost.
    var cache: ReadCache
    var cacheDisk = SimulatedCacheDisk()
    var cacheOperations: [Int: SimulatedCacheDisk.Operation] = [:]
    var status = Status.down
    /// Counts the runs of the engine; what belongs to an earlier one is ignored when it arrives.
    var life = 0
    /// The machine lost power since the last life, so that recovery may find less.
    var lostPower = false
    /// Its disk is a copy from the past.
    var isRestoredCopy = false
    /// It may take the volume over at its first start: it has waited for the lease, or the owner is gone.
    var mayTakeOver = false
    /// Nothing of it reaches the bucket.
    var isCutOff = false
    /// It was shown a HEAD that is not its own.
    var knowsSuccessor = false
    var inbox: [Message] = []
    var isBatchScheduled = false
    /// Commands that this life has and has not answered, and those it answered as aborted.
    var received: Set<Int> = []
    var aborted: Set<Int> = []
    var deadline: UInt64?
    var operations: [Int: DiskOperation] = [:]
    var nextOperation = 0
    var packs: PackReservations
    var callers: [CallerToken: Caller] = [:]
    /// Which of the disk's cuts a call is for, and HEADs that were given for one and not kept yet.
    var cuts: [CallerToken: UInt64] = [:]
    var unkept: [CallerToken: Head] = [:]
    /// Segments whose index is being written or synced.
    var sealing: Set<SegmentID> = []
    /// Segments that were sealed in this life or before it.
    var sealed: Set<SegmentID> = []
    /// Where reads find things: the cut of the commit under way and of the last one, and the last fold's.
    var frozenSequence = JournalSequence.zero
    var committedSequence = JournalSequence.zero
    var foldedSequence = JournalSequence.zero
    var foldNumber: UInt64 = 0
    var isDiskFull = false
    /// Its disk, be it a copy, has room for more than these.
    let segmentCountAtBirth: Int
    /// The local state that the engine saved last named this HEAD.
    var savedCommit: CommitID?
    /// The size that its initiators were told, and whether they were told that every write is durable.
    var byteCount: UInt64 = 0
    var isAlwaysDurable = false
    /// The last answer about what is stored.
    var provisioning: Result<[ProvisionedRange], ProvisioningFailure>?
    var putsPack = false

    init(
        index: Int, id: GatewayID, disk: SimulatedDisk, oracle: GatewayOracle, cache: ReadCache,
        packs: PackReservations
    ) {
        self.cache = cache
        self.packs = packs
        self.index = index
        self.id = id
        segmentCountAtBirth = disk.segmentIDs.count
        self.disk = disk
        self.oracle = oracle
    }

    /// The page cache outlives the process; nothing else of its life does.
    func endLife() {
        life += 1
        volume = nil
        packs = PackReservations(limit: packs.limit)
        status = .down
        inbox = []
        received = []
        aborted = []
        isBatchScheduled = false
        deadline = nil
        operations = [:]
        cacheOperations = [:]
        callers = [:]
        cuts = [:]
        unkept = [:]
        sealing = []
        isDiskFull = false
        putsPack = false
        frozenSequence = committedSequence
    }
}
