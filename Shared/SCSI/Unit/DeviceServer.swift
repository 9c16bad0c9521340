// SPDX-License-Identifier: Apache-2.0
import Wire

/// The SCSI state of one unit and the commands that read or change it, held by whoever owns the volume, so that all
/// initiators see one state whichever frontend they come through. Does no I/O and reads no clock: it says what to do.
///
/// The owner asks `admit` before it applies anything, gives it what the decoder left to the device server (`perform`),
/// tells it what happened to nexuses and unit, and makes `state` durable whenever `needsSaving` says so before it
/// answers.
package struct DeviceServer: Sendable {
    package enum ResetKind: Sendable {
        case logicalUnit, targetWarm, targetCold

        var attention: UnitAttention {
            switch self {
            case .logicalUnit: .busDeviceResetFunctionOccurred
            case .targetWarm: .scsiBusResetOccurred
            case .targetCold: .powerOnOccurred
            }
        }
    }

    struct RunningCopy: Sendable {
        let frontend: ServiceInstance
        let number: UInt64
        let nexus: NexusID
        /// By which its nexus can ask about it; nil once the session has ended or the unit was reset.
        var listID: UInt8?
        /// False once its frontend has ended: nobody asks for the answer.
        var isAnswered = true
    }

    package internal(set) var unit: LogicalUnit { didSet { updateEventful() } }
    package internal(set) var state: UnitState
    /// Something changed that must be durable before anybody is answered.
    package internal(set) var needsSaving = false
    /// How much of the unit is sanitized, in 65536ths; for REQUEST SENSE.
    package var sanitizeProgress: UInt16 = 0
    /// For LOG SENSE and the logical block provisioning mode page; kept by the owner, who posts the unit attentions
    /// that go with them.
    package var provisioningUse = ProvisioningUse(availableSectorCount: nil, usedSectorCount: 0)
    package var softThresholdSectorCount: UInt64?
    /// Who has read of the write cache and not flushed since.
    var writeCacheCandidates: Set<NexusID> = []
    /// End with the process: their commands come again.
    var runningCopies: [RunningCopy] = []
    /// False while nothing can refuse a command: nothing is pending, reserved, protected, in progress or remembered.
    package private(set) var isEventful = false

    /// - Parameters:
    ///   - state: what was saved last, if anything was.
    ///   - powerOn: names the run of the machine; under another one than the state's the unit was powered on.
    package init(unit: LogicalUnit, state: UnitState?, powerOn: String) {
        self.unit = unit
        self.state = state ?? UnitState(powerOnID: powerOn)
        if self.state.powerOnID != powerOn {
            self.state.powerOn(powerOn)
            // All are told of the power-on, which says more.
            self.state.told = nil
            needsSaving = true
        }
        if state == nil { needsSaving = true }
        tellOfUnit()
        updateEventful()
    }

    /// Whether to save, which the caller does now.
    package mutating func takeNeedsSaving() -> Bool {
        defer { needsSaving = false }
        return needsSaving
    }

    /// Whether a command with these traits may run: nil, or its answer.
    @inline(__always)
    package mutating func admit(_ traits: CommandDefinition.Traits, from origin: CommandOrigin) -> CommandResult? {
        guard isEventful else { return nil }
        return judge(traits, from: origin)
    }

    /// Whether the initiator does not flush what it writes, as far as is known, so that what it changes is to be
    /// durable when it is answered whatever the unit's settings say by now.
    @inline(__always)
    package func isWriteThrough(for nexus: NexusID) -> Bool {
        guard let readers = state.writeCacheReaders else { return false }
        return !readers.contains(nexus)
    }

    var writeProtection: SCSIError? {
        if unit.isReadOnly { return .writeProtected }
        return state.isSoftwareWriteProtected ? .softwareWriteProtected : nil
    }

    /// What keeps commands from the medium.
    func checkMedium() throws(SCSIError) {
        try unit.checkReady()
        if isMediumEjected { throw .mediumNotPresent }
    }

    var isMediumEjected: Bool { unit.isRemovable && state.isEjected }

    var modeParameters: ModeParameters {
        ModeParameters(
            isSoftwareWriteProtected: state.isSoftwareWriteProtected,
            softThresholdSectorCount: softThresholdSectorCount)
    }

    /// After every change of what refuses commands.
    mutating func updateEventful() {
        isEventful =
            state.reservingNexus != nil || state.persistentReservations.reservation != nil
            || state.isSoftwareWriteProtected || state.isSanitizing || state.answered.refusalCount > 0
            || unit.isReadOnly || unit.readiness != .ready || isMediumEjected || state.nexuses.isFull
            || state.nexuses.hasAttentions
    }

    /// A change that must outlive a restart; whatever else changed since is saved with it.
    mutating func change<Result>(_ body: (inout UnitState) -> Result) -> Result {
        defer {
            needsSaving = true
            updateEventful()
        }
        return body(&state)
    }
}
