// SPDX-License-Identifier: Apache-2.0

/// What the owner of a unit does next with a command that its device server performed. If `DeviceServer.needsSaving`,
/// the state is made durable before any of this.
package enum DeviceServerAction: Equatable, Sendable {
    /// Answer it.
    case complete(CommandResult)
    /// Make everything acknowledged durable, then answer.
    case flush(CommandResult)
    /// Answer once no command of these nexuses can be applied any more: what waits is dropped, what runs is awaited.
    case abortTasks(of: [NexusID], CommandResult)
    /// Answer with what is mapped from sector `from` on, in at most `descriptorLimit` descriptors.
    case lbaStatus(from: UInt64, descriptorLimit: Int, allocationLength: Int)
    /// Copy, then `finishCopy` gives the answer.
    case copy(CopyOperation)
    /// Unmap everything, unless that is under way already, and then call `finishSanitize`. The answer is GOOD: at once
    /// if `immediate`, else after that.
    case sanitize(immediate: Bool)
    /// A repeat of a copy that is still under way: its answer serves both.
    case inProgress
}
