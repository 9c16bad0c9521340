// SPDX-License-Identifier: Apache-2.0

/// Rules that the simulator breaks on purpose, one at a time, to prove that its invariants would notice (STORAGE §10).
/// Always empty outside the simulator.
package struct Mutants: OptionSet, Sendable {
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }
    package static let skipIntentSync = Mutants(rawValue: 1)
    package static let publishHeadBeforePacks = Mutants(rawValue: 2)
    package static let acknowledgeBeforePublish = Mutants(rawValue: 4)
    package static let forgetRequestTable = Mutants(rawValue: 8)
    package static let retryFailedSync = Mutants(rawValue: 16)
    package static let reusePackName = Mutants(rawValue: 32)
    package static let skipCacheChecksum = Mutants(rawValue: 64)
    package static let replaceUnkeptHead = Mutants(rawValue: 128)
    package static let forgetAborted = Mutants(rawValue: 256)
    package static let modifyWithoutLock = Mutants(rawValue: 512)
    package static let amendBeforeSaved = Mutants(rawValue: 1024)
}
