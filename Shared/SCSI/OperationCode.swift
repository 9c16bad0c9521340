// SPDX-License-Identifier: Apache-2.0

/// The commands there are: one for each opcode, or for each service action of an opcode that has them.
package enum OperationCode: Sendable, CaseIterable {
    case testUnitReady, requestSense, inquiry, reportLUNs, readCapacity10, readCapacity16, getLBAStatus
    case modeSense6, modeSense10, modeSelect6, modeSelect10, logSense
    case read6, read10, read12, read16
    case write6, write10, write12, write16
    case writeAndVerify10, writeAndVerify12, writeAndVerify16
    case verify10, verify12, verify16
    case prefetch10, prefetch16
    case synchronizeCache10, synchronizeCache16
    case unmap, writeSame10, writeSame16, compareAndWrite, orWrite16, writeAtomic16
    case readDefectData10, readDefectData12
    case startStopUnit, preventAllowMediumRemoval
    case reserve6, reserve10, release6, release10
    case sanitizeBlockErase, sanitizeCryptographicErase, sanitizeExitFailureMode
    case persistentReadKeys, persistentReadReservation, persistentReportCapabilities, persistentReadFullStatus
    case persistentRegister, persistentReserve, persistentRelease, persistentClear
    case persistentPreempt, persistentPreemptAndAbort, persistentRegisterAndIgnoreExistingKey
    case persistentRegisterAndMove
    case extendedCopy, receiveCopyStatus, receiveCopyOperatingParameters
    case reportTargetPortGroups, reportSupportedOperationCodes, reportSupportedTaskManagementFunctions
}
