// SPDX-License-Identifier: Apache-2.0
package import Wire

/// An uploader tells a cache manager how many more jobs it can take; sent at start, after each result and as a
/// heartbeat once a second. A cache manager hands the jobs of an uploader that fell silent to another.
package struct UploaderReady: Codable, Sendable {
    package var freeWriteSlots: UInt16
    package var freeReadSlots: UInt16
    package init(freeWriteSlots: UInt16, freeReadSlots: UInt16) {
        self.freeWriteSlots = freeWriteSlots
        self.freeReadSlots = freeReadSlots
    }
}

/// One job for an uploader. Payload frame: the blocks of a pack in the plan's order, or the object's bytes.
package struct UploadJob: Codable, Sendable {
    package enum Work: Codable, Sendable {
        /// `plan`: an encoded `PackPlan` (Engine/Format). Result payload: the pack's encoded directory.
        case putPack(key: ObjectKey, plan: [UInt8])
        /// HEAD, map packs, records. Result: `etag`.
        case putObject(key: ObjectKey, precondition: WritePrecondition)
        /// Result payload: the whole object; `etag`.
        case getObject(key: ObjectKey)
        /// Result payload: exactly these bytes, or a failure; a short body is never passed on.
        case getRange(key: ObjectKey, byteOffset: UInt64, byteCount: UInt32)
        /// Frames of a pack that lie one after the other, the first at this offset, read in one range. Result payload:
        /// all of them, verified and decompressed, each an encoded `FrameContents` (Engine/Format) in a frame of its
        /// own.
        case getFrames(key: ObjectKey, byteOffset: UInt64, byteCounts: [UInt32])
        /// Result payload: the names of the folders right below the prefix, one per line, found without listing what is
        /// in them.
        case listFolders(prefix: String)
        /// Does this store honour what STORAGE §3 relies on? Fails with `refused` and the reason if not.
        case probe
    }
    /// Which slots a job takes: reads and writes have their own, so that reads never queue behind uploads.
    package enum Lane: Int, CaseIterable, Sendable { case read, write }

    package var id: UInt64
    package var work: Work
    /// How long the uploader may try before it answers `ambiguous` or `unavailable`.
    package var timeoutMilliseconds: UInt32
    package init(id: UInt64, work: Work, timeoutMilliseconds: UInt32) {
        self.id = id
        self.work = work
        self.timeoutMilliseconds = timeoutMilliseconds
    }
}

extension UploadJob.Work {
    package var lane: UploadJob.Lane {
        switch self {
        case .putPack, .putObject: .write
        case .getObject, .getRange, .getFrames, .listFolders, .probe: .read
        }
    }
}

package struct UploadResult: Codable, Sendable {
    package enum Outcome: Codable, Sendable, Equatable {
        /// `storedByteCount`: the object's size as stored (packs: after compression).
        case success(etag: EntityTag?, storedByteCount: UInt64)
        /// 412: the precondition did not hold.
        case preconditionFailed
        /// 409: concurrent conditional request; try again.
        case conflict
        case notFound
        /// The write may or may not have happened (timeout, 5xx, connection lost).
        case ambiguous(reason: String)
        /// Nothing happened; try again later.
        case unavailable(reason: String)
        /// What came back is not what was stored (checksum, length, wrong block).
        case corrupt(reason: String)
        /// Trying again will not help (no permission, bucket of a newer format, no preconditions).
        case refused(reason: String)
    }
    package var id: UInt64
    package var outcome: Outcome
    package init(id: UInt64, outcome: Outcome) {
        self.id = id
        self.outcome = outcome
    }
}
