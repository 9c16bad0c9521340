// SPDX-License-Identifier: Apache-2.0

/// What the transport does next with a command.
package enum CommandDisposition: Equatable, Sendable {
    /// Answer it. Write data still on its way is consumed and dropped; what was not asked for is not asked for.
    case complete(CommandResult)
    /// Collect `dataOutByteCount` bytes, then call `DeviceServer.finish`.
    case parameterData(ParameterDataCommand)
    /// Collect the payload if there is one, ask the volume, then answer `operation.result(of:)`. From `finish`, the
    /// payload is the data that was given to it.
    case medium(MediumOperation)
    /// Ask the volume, then answer `operation.result(of:)`.
    case unmap(UnmapOperation)
}
