// SPDX-License-Identifier: Apache-2.0
package import Engine

/// Many seeds one after the other, with their rare events added up.
package struct SimulationRun {
    package private(set) var seeds = 0
    package private(set) var operations = 0
    package private(set) var commits = 0
    package private(set) var rareEvents = RareEventCounts()
    package private(set) var violations: [Violation] = []

    package init() {}

    /// - Returns: the outcome, already added.
    @discardableResult
    package mutating func run(seed: UInt64, options: Simulation.Options) -> Simulation.Outcome {
        let outcome = Simulation(seed: seed, options: options).run()
        seeds += 1
        operations += outcome.operations
        commits += outcome.commits
        rareEvents.add(outcome.rareEvents)
        if let violation = outcome.violation { violations.append(violation) }
        return outcome
    }

    /// Events that came less often than a run of 10,000 seeds must meet them (100 times), scaled to this run.
    package var missing: [RareEvent] { RareEvent.allCases.filter { rareEvents[$0] * 100 < seeds } }

    /// One line per event, the rarest first.
    package var table: String {
        RareEvent.allCases.sorted { (rareEvents[$0], $0.rawValue) < (rareEvents[$1], $1.rawValue) }
            .map { event in
                let count = String(rareEvents[event])
                return String(repeating: " ", count: max(0, 10 - count.utf8.count)) + count + "  " + event.rawValue
            }
            .joined(separator: "\n")
    }
}

/// The broken rules by name, each with the invariant that must catch it (STORAGE §10).
package enum SimulationMutant: String, CaseIterable, Sendable {
    case skipIntentSync, publishHeadBeforePacks, acknowledgeBeforePublish, forgetRequestTable, retryFailedSync
    case reusePackName, skipCacheChecksum, replaceUnkeptHead, forgetAborted, modifyWithoutLock
    case amendBeforeSaved

    package var mutants: Mutants {
        switch self {
        case .skipIntentSync: .skipIntentSync
        case .publishHeadBeforePacks: .publishHeadBeforePacks
        case .acknowledgeBeforePublish: .acknowledgeBeforePublish
        case .forgetRequestTable: .forgetRequestTable
        case .retryFailedSync: .retryFailedSync
        case .reusePackName: .reusePackName
        case .skipCacheChecksum: .skipCacheChecksum
        case .replaceUnkeptHead: .replaceUnkeptHead
        case .forgetAborted: .forgetAborted
        case .modifyWithoutLock: .modifyWithoutLock
        case .amendBeforeSaved: .amendBeforeSaved
        }
    }

    package var invariant: Invariant {
        switch self {
        case .skipIntentSync: .headIsBehindDurableJournal
        case .publishHeadBeforePacks: .headNamesOnlyPresentPacks
        case .acknowledgeBeforePublish: .acknowledgedIsPublished
        case .forgetRequestTable: .commandAppliedOnce
        case .retryFailedSync: .journalFailureIsFinal
        case .reusePackName: .packNamesAreNeverReused
        case .skipCacheChecksum: .readsReturnWhatWasWritten
        case .replaceUnkeptHead: .promisedCutIsKept
        case .forgetAborted: .refusedIsNotApplied
        case .modifyWithoutLock: .orWriteIsAtomic
        case .amendBeforeSaved: .settingsAreKept
        }
    }
}
