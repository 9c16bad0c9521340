// SPDX-License-Identifier: Apache-2.0

/// What a run must have met often enough to mean something (STORAGE §10): at least 100 times in 10,000 seeds each.
package enum RareEvent: String, CaseIterable, Sendable {
    // Deaths.
    case processCrash, powerCut, cleanStop, crashDuringRecovery, crashDuringSeal, crashWithWriteInFlight
    case crashWithSyncInFlight, crashBetweenPackAndHead, crashBetweenHeadAndState, stateWiped
    // The journal.
    case tornTail, tailEndsAtSync, tailLongerThanSync, segmentRecycled, tableCheckpoint, writeFailed, syncFailed
    case diskFull, readFailed, bitRotFound, dirtyBlockLost, bufferFullHeld, busy
    // The bucket.
    case headReplyLostLanded, headReplyLostNotLanded, lateHeadRefused, lateHeadLanded, headRefused412, headConflict409
    case headLandedThen412, throttled, outage, uploaderLost, shortBody, flippedBody, packRetried
    case intentFoundCommitted, intentFoundNotCommitted, fold, foldDuringOutage, commitDuringOutage
    case cut, cutKept, cutResumed, cutFoundCommitted
    // Requests.
    case duplicateInFlight, duplicateFromTable, duplicateAfterRestart, frontendDied, frontendRevoked, barrier
    case amended, grown, grewAtRestart, provisioning, abort, aborted, orWriteAdded, compareMatched
    case compareAndWriteWaited, miscompare, freezeWithPartialBlocks, unmapOfCommitted, hugeUnmap, readDuringCommit
    // Where reads find their bytes.
    case readActive, readFrozen, readUnfolded, readTree, readNeverWritten
    // The read cache.
    case cacheHit, cachedNodeHit, cacheJoined, cacheRotFound, cacheReadFailed, cacheReadLate, cacheWriteFailed
    case cacheLostAtRestart, cacheFoundAtRestart, cacheRegionRecycled, cacheRegionKept, cacheFrameCarried
    case cacheIndexFull, cacheDirectoryOff, cacheDirectoryRemoved, cacheResized, framePrefetched, frameWarmed
    case warmingStopped
    // Owners.
    case takeover, takeoverRaced, staleOwnerFenced, oldStateRefused, oldStateServedUntilFenced
    case leaseRenewed, leaseLapsed, leaseTakenOver, leaseHandedOver, leaseKept
}

/// How often each event happened, over one seed or many.
package struct RareEventCounts: Sendable {
    private var counts = [Int](repeating: 0, count: RareEvent.allCases.count)
    private static let positions = Dictionary(
        uniqueKeysWithValues: RareEvent.allCases.enumerated().map { ($1, $0) })

    package init() {}

    package subscript(_ event: RareEvent) -> Int { counts[Self.positions[event] ?? 0] }

    package mutating func add(_ event: RareEvent) { counts[Self.positions[event] ?? 0] += 1 }

    package mutating func add(_ other: RareEventCounts) {
        for index in counts.indices { counts[index] += other.counts[index] }
    }
}
