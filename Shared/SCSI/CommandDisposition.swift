// SPDX-License-Identifier: Apache-2.0
package import Wire

/// What the transport does next with a command. Only `complete` is final: for everything else the owner of the unit
/// first says whether the command may run at all (unit attentions, reservations, sanitizing, readiness, write
/// protection), then whether its sectors exist.
package enum CommandDisposition: Equatable, Sendable {
    /// Answer it. Write data still on its way is consumed and dropped; what was not asked for is not asked for.
    case complete(CommandResult)
    /// Collect `dataOutByteCount` bytes, then call `CommandDecoder.finish`.
    case parameterData(ParameterDataCommand)
    /// Collect the payload if there is one, ask the volume, then answer `operation.result(of:)`. From `finish`, the
    /// payload is the data that was given to it.
    case medium(MediumOperation)
    /// Ask the volume, then answer `operation.result(of:)`.
    case unmap(UnmapOperation)
    /// Answer the result if the command may run and the sectors exist (`LogicalUnit.contains`); without a range, if it
    /// may run. For commands that move nothing, and for errors that rank behind: of the CDB's fields without a range,
    /// of limits and lengths with the range that is judged before them.
    case check(SectorRange?, CommandResult)
    /// Collect `dataOutByteCount` bytes, or as many as the initiator sends if fewer; then CDB and data go to the
    /// owner's device server, which gives the whole answer.
    case deviceServer(dataOutByteCount: Int)
}
