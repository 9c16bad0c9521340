// SPDX-License-Identifier: Apache-2.0
package import Platform
package import Wire

/// The engine's clock: both are inputs, the engine reads none itself.
package struct EngineTime: Sendable, Equatable {
    /// Monotonic; for intervals.
    package var nanoseconds: UInt64
    /// Milliseconds since 1970; for people and HEAD.
    package var wallMilliseconds: UInt64
    package init(nanoseconds: UInt64, wallMilliseconds: UInt64) {
        self.nanoseconds = nanoseconds
        self.wallMilliseconds = wallMilliseconds
    }
}

/// Ties an effect to the event that answers it. Drawn by the engine, unique within a volume's run.
package struct EffectToken: Hashable, Sendable {
    package var rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// What the engine wants done. The driver does it in any order and answers each effect that has a token with exactly
/// one `EngineEvent`, possibly before `takeEffects()` is called again.
package enum Effect {
    /// To whoever sent the request; not answered.
    case reply(RequestOrigin, VolumeReply)

    // The journal: one file per segment.

    /// Make a zero-filled file of `EngineLimits.segmentByteCount` for this segment (renaming `reusing` if given: its
    /// old contents may stay), file and name durable. Asked again with the same ids after a failure, which may have
    /// come after the renaming. Answered with `.segmentPrepared`.
    case prepareSegment(EffectToken, SegmentID, reusing: SegmentID?)
    /// Write bytes `0 ..< byteCount` of the buffer at an offset. Not durable yet. Answered with `.diskWrite`.
    case writeSegment(EffectToken, SegmentID, byteOffset: Int, IOBuffer, byteCount: Int)
    /// fdatasync all of these. Answered with `.diskWrite`.
    case syncSegments(EffectToken, [SegmentID])
    /// Fill `buffer[bufferOffset ..< bufferOffset + byteCount]`. A short read is a failure. Answered with `.diskRead`.
    case readSegment(EffectToken, SegmentID, byteOffset: Int, byteCount: Int, IOBuffer, bufferOffset: Int)
    /// The same for many places at once, for packs: the driver does it away from its loop. Answered with `.diskRead`.
    case readSegments(EffectToken, [SegmentRead], IOBuffer)
    /// Replace the volume's local state atomically and durably. Answered with `.diskWrite`.
    case saveState(EffectToken, LocalState)

    // Memory for packs that are put together, of which the volumes of a shard share a fixed number.

    /// Answered with `.packReserved` when there is memory for one more pack; that may take long.
    case reservePack(EffectToken)
    /// One pack's memory is not needed any more; not answered.
    case releasePack

    // The bucket, through uploaders. The payload of `putPack` is the plan's blocks in order.

    case putPack(EffectToken, ObjectKey, PackPlan, IOBuffer)
    case putObject(EffectToken, ObjectKey, [UInt8], WritePrecondition)
    case getObject(EffectToken, ObjectKey)
    case getRange(EffectToken, ObjectKey, byteOffset: UInt64, byteCount: Int)
    /// The frame from the read cache or the bucket. Answered with `.frame`.
    case getFrame(EffectToken, FrameReference, FetchUrgency)
    /// Put the frame into the read cache, if that costs no other its place. Answered with `.frameWarmed`.
    case warmFrame(EffectToken, FrameReference)
    /// The map node from the read cache or the bucket. Answered with `.node`.
    case getNode(EffectToken, NodePointer, FetchUrgency)
    /// Somebody waits now for a map node that was asked for in the background; not answered.
    case hastenNode(NodePointer)
    /// Put nodes of a map pack that was just stored into the read cache; `bytes` are the pack's, from its start. Not
    /// answered.
    case keepNodes([NodePointer], bytes: [UInt8])

    // To the driver; not answered.

    /// Answers `Volume.barrier`: no older command of that nexus can be applied any more.
    case barrierPassed(CallerToken)
    /// Answers `Volume.commit`, `Volume.cut`, `Volume.stop`, `Volume.delete` and `Volume.amend`.
    case finished(CallerToken, Result<Head, VolumeFailure>)
    /// Answers `Volume.cut`: everything up to the cut would survive a power cut.
    case cutDurable(CallerToken)
    /// Settings of this HEAD are in effect that were not before: by `Volume.amend`, or because an earlier run's change
    /// turned out to have landed.
    case settingsChanged(Head)
    /// Answers `Volume.provisioning`.
    case provisioning(CallerToken, Result<[ProvisionedRange], ProvisioningFailure>)
    /// For the log.
    case report(EngineReport)
}

/// One piece of `readSegments`.
package struct SegmentRead: Sendable, Equatable {
    package var segment: SegmentID
    package var byteOffset: Int
    package var byteCount: Int
    package var bufferOffset: Int
}

/// Chosen by whoever calls the volume, handed back in the effect that answers the call.
package struct CallerToken: Hashable, Sendable {
    package var rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// Why the volume could not do what its caller asked.
package enum VolumeFailure: Error, Equatable, Sendable {
    case fenced(String)
    case journalFailed(String)
    case bucketUnavailable(String)
    case stopped
    /// There can be no such settings.
    case invalidChange(String)
}

/// What happened. `token` names the effect it answers.
package enum EngineEvent {
    case segmentPrepared(EffectToken, Result<Void, SystemError>)
    case diskWrite(EffectToken, Result<Void, SystemError>)
    case diskRead(EffectToken, Result<Void, SystemError>)
    /// Answers `reservePack`.
    case packReserved(EffectToken)
    /// Answers `putPack`: the decoded directory and where it lies.
    case packStored(EffectToken, Result<StoredPack, BucketFailure>)
    /// Answers `putObject`.
    case objectStored(EffectToken, Result<EntityTag, BucketFailure>)
    /// Answers `getObject`.
    case object(EffectToken, Result<StoredObject, BucketFailure>)
    /// Answers `getRange`.
    case range(EffectToken, Result<[UInt8], BucketFailure>)
    /// Answers `getFrame`.
    case frame(EffectToken, Result<FrameContents, BucketFailure>, from: FrameSource)
    /// Answers `getNode`.
    case node(EffectToken, Result<[UInt8], BucketFailure>, from: FrameSource)
    /// Answers `warmFrame`.
    case frameWarmed(EffectToken, Result<WarmedFrame, BucketFailure>)
}

package struct StoredPack: Sendable, Equatable {
    package var reference: PackReference
    package var directory: PackDirectory
    package init(reference: PackReference, directory: PackDirectory) {
        self.reference = reference
        self.directory = directory
    }
}

package struct StoredObject: Sendable, Equatable {
    package var bytes: [UInt8]
    package var tag: EntityTag
    package init(bytes: [UInt8], tag: EntityTag) {
        self.bytes = bytes
        self.tag = tag
    }
}

/// Why the bucket did not do it. The meaning of each is `UploadResult.Outcome`'s.
package enum BucketFailure: Error, Equatable, Sendable {
    case preconditionFailed
    case conflict
    case notFound
    case ambiguous(String)
    case unavailable(String)
    case corrupt(String)
    case refused(String)
}

/// What the volume keeps on the local disk besides its journal: enough to serve without the bucket.
package struct LocalState: Equatable, Sendable, Codable {
    package var formatVersion: Int
    package var volume: VolumeID
    /// Raised and made durable before the first upload of each run (STORAGE §2).
    package var start: UInt32
    /// The newest HEAD known to be ours, and its version in the store. nil: the volume is being created.
    package var head: Head
    package var headTag: EntityTag?
    /// Of a lease: the runs of this machine whose renewals may still land.
    package var leaseRuns: [LeaseRun]?
    package init(
        formatVersion: Int = 1, volume: VolumeID, start: UInt32, head: Head, headTag: EntityTag?,
        leaseRuns: [LeaseRun]? = nil
    ) {
        self.formatVersion = formatVersion
        self.volume = volume
        self.start = start
        self.head = head
        self.headTag = headTag
        self.leaseRuns = leaseRuns
    }
}

/// Something an operator should see. Constant text with values apart, so that it can be logged as it is.
package enum EngineReport: Sendable, Equatable {
    case recovered(records: Int, dirtyBytes: UInt64, segments: Int)
    case tornTail(segment: SegmentID, byteOffset: Int)
    case badBlock(segment: SegmentID, block: BlockIndex)
    case committed(number: UInt64, bytes: UInt64, packs: Int)
    case commitDelayed(String)
    /// A dirty block that the journal's disk has lost: no commit goes out any more.
    case dirtyBlockLost(BlockIndex)
    case folded(number: UInt64)
    case foldDelayed(String)
    case fenced(String)
    /// Nothing is acknowledged until HEAD can be written again.
    case leaseLapsed
    case journalFailed(String)
    /// No room for another segment on the journal's disk; writes wait.
    case journalSpaceMissing(String)
    /// The upload buffer is full; writes are held.
    case bufferFull
}
