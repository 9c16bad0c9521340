// SPDX-License-Identifier: Apache-2.0

/// What became of an operation on the volume, in SCSI's terms. The frontend translates the engine's and the bus's
/// answers into this; here it becomes status and sense.
package enum MediumOutcome: Equatable, Sendable {
    case good
    /// COMPARE AND WRITE or VERIFY found something else; offset of the first different byte in the data to compare.
    /// Nothing written.
    case miscompare(byteOffset: UInt64)
    /// Not executed; worth sending again later.
    case busy
    case outOfRange
    /// The first sector that cannot be read.
    case mediumError(sector: UInt64)
    case writeError
    /// Another gateway owns the volume.
    case fenced
    /// The volume does not exist any more.
    case unknownVolume
    /// The owner refused it for good, or never answered: it may or may not have been applied, the initiator must look.
    case refused
    /// Another nexus has reserved the unit. Not executed.
    case reservationConflict
    /// The owner's device server does not let it run, for this reason. Not executed.
    case checkCondition(Sense)
}
