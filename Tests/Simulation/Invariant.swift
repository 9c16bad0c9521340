// SPDX-License-Identifier: Apache-2.0

/// What must hold after every step (STORAGE §10). Each broken rule of `Mutants` is caught by the one named for it.
package enum Invariant: String, CaseIterable, Sendable {
    /// A command is acknowledged only once the kernel has its record and all records before it.
    case acknowledgedIsPublished
    /// FLUSH and FUA are answered only once everything they promise would survive a power cut.
    case flushedIsDurable
    /// After a failed write or sync of the journal nothing is acknowledged any more: the disk lied once.
    case journalFailureIsFinal
    /// No command is applied twice, however often it is sent.
    case commandAppliedOnce
    /// A command answered with BUSY or as aborted, or of a revoked frontend or behind a barrier, is not applied later.
    case refusedIsNotApplied
    /// COMPARE AND WRITE compares with the image at its own place in the history, and a counter is exact.
    case compareAndWriteIsAtomic
    /// ORWRITE adds to what its sectors hold at its own place in the history.
    case orWriteIsAtomic
    /// A read returns what some allowed moment of the volume held, nothing torn, misplaced or invented.
    case readsReturnWhatWasWritten
    /// What is said not to be stored reads as zeros; after the whole volume was unmapped nothing is stored.
    case provisioningIsTrue
    /// A change of settings that was confirmed is in HEAD, survives every crash, and a volume never shrinks; writes
    /// go only where both HEAD and the local state know that the volume reaches.
    case settingsAreKept
    /// A medium error names bytes that really are damaged.
    case mediumErrorHasCause
    /// The recovered journal is a prefix of the published order, cut between commands.
    case recoveredIsPrefix
    /// A process crash loses nothing acknowledged.
    case recoveryKeepsAcknowledged
    /// A power cut loses nothing flushed.
    case recoveryKeepsFlushed
    /// Under a lease nothing is acknowledged by an owner whose lease another has taken over.
    case leaseIsHeldByOne
    /// HEAD is published only once the journal up to its cut, and the intent to publish it, would survive a power cut.
    case headIsBehindDurableJournal
    case headNamesOnlyPresentPacks
    case packNamesAreNeverReused
    /// The image that a HEAD describes is the volume after exactly the commands up to its journal sequence.
    case bucketImageIsPrefix
    case liveBytesEqualWalk
    /// An earlier root still reads back.
    case retainedRootReadsBack
    /// A commit that was asked for covers everything acknowledged before.
    case commitCoversAcknowledged
    /// A cut holds everything acknowledged before it and nothing that came after, whenever its HEAD lands.
    case cutIsOfItsInstant
    /// A cut that was promised is had, whatever dies in between.
    case promisedCutIsKept
    /// An owner that learnt of its successor serves nothing, and never damages the successor's HEAD.
    case staleOwnerIsFenced
    /// The rightful owner is never fenced by its own traces.
    case ownerIsNotFencedByItself
    /// A restored old copy of the local state does not serve once the bucket has shown it to be old.
    case oldStateIsRefused
    /// Once all faults are healed every command is answered and every commit lands.
    case progressAfterHealing
    /// The engine asks only for what its driver can do: files that exist, ranges inside them.
    case effectsAreWellFormed
}

/// The first broken invariant of a run; nothing after it means anything.
package struct Violation: Error, CustomStringConvertible, Sendable {
    package var invariant: Invariant
    package var reason: String
    package var seed: UInt64 = 0
    /// Commands issued and virtual time when it happened.
    package var operation = 0
    package var nanoseconds: UInt64 = 0
    package var operations = 0
    package var mutant: String?

    package init(_ invariant: Invariant, _ reason: String) {
        self.invariant = invariant
        self.reason = reason
    }

    package var command: String {
        "sluice-sim --seed \(seed) --operations \(operations)" + (mutant.map { " --mutant \($0)" } ?? "")
    }

    package var description: String {
        """
        invariant \(invariant.rawValue) broken at operation \(operation), \(nanoseconds / 1000) µs: \(reason)
        repeat with: \(command)
        """
    }
}
