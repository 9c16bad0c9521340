// SPDX-License-Identifier: Apache-2.0
package import Engine
import Platform
import TestSupport
import Wire

/// One run: one seed, one schedule. Virtual time, no real clock, thread or file; everything that happens to the engine
/// is drawn from the seed (STORAGE §10).
package final class Simulation {
    enum Event {
        case message(gateway: Int, life: Int, frontend: Int, connection: Int, SimulatedGateway.Message)
        case batch(gateway: Int, life: Int)
        case deadline(gateway: Int, life: Int)
        case disk(gateway: Int, life: Int, operation: Int)
        case cacheDisk(gateway: Int, life: Int, operation: Int)
        case storeApplies(request: Int)
        case storeAnswers(request: Int)
        case reply(frontend: Int, connection: Int, command: Int, AnswerKind)
        case wake(frontend: Int)
        case start(gateway: Int, life: Int)
        case action(gateway: Int, life: Int, Action)
    }
    /// What a frontend hears.
    enum AnswerKind { case done, busy, aborted, failed, fenced }
    /// Things that end later than they begin.
    enum Action {
        case diskHeals, crash(Crash), revoke(Int), resend(Int), retire, reconnect, keep(CallerToken), lose(
            frontend: Int)
        /// Another machine has seen this version of HEAD since then.
        case waitForLease(EntityTag, since: UInt64, looks: Int)
        case takeIfHandedOver
    }
    enum Crash { case process, power }

    package struct Options {
        package var operations = 2000
        package var mutants: Mutants = []
        package var mutantName: String?
        package var ignoresPreconditions = false
        package var trace: ((String) -> Void)?
        package init() {}
    }

    package struct Outcome: Sendable {
        package var seed: UInt64
        package var violation: Violation?
        package var rareEvents: RareEventCounts
        package var operations: Int
        package var commits: Int
        package var digest: UInt64
    }

    let seed: UInt64
    let options: Options
    let settings: SimulationSettings
    let volume: VolumeID
    var random: SeededRandom
    var workload: Workload
    var trace: Trace
    var now: UInt64 = 0
    var queue = SimulationQueue<Event>()
    var rare = RareEventCounts()
    var ledger = CommandLedger()
    var gateways: [SimulatedGateway] = []
    var frontends: [SimulatedFrontend] = []
    var store: SimulatedStore
    var faults: StoreFaults
    var requests: [Int: StoreRequest] = [:]
    var nextRequest = 0
    /// Every name a pack was ever sent under, with the gateway that did it.
    var packNames: [ObjectKey: Int] = [:]
    /// Which gateway's HEAD the bucket holds.
    var headWriter: Int?
    /// Of the HEAD in the bucket.
    var headGeneration = Generation(0)
    /// Some HEADs that were replaced, to read back at the end, with the oracle's position then.
    var retained: [RetainedHead] = []
    /// The gateway that the frontends should use.
    var owner = 0
    var issued = 0
    /// When a frontend last had a free slot for a command.
    var lastIssue: UInt64 = 0
    var commitCount = 0
    var nextChaos = 0
    var lastCaller: UInt64 = 0
    var lastInstance: UInt64 = 0
    var isDraining = false
    /// Advances without time passing: an engine whose deadline never moves would spin for ever.
    var idleAdvances = 0
    /// The largest size that anybody asked for.
    var askedByteCount: UInt64 = 0
    /// A copy of a gateway's disk, taken some time ago.
    var backup: DiskBackup?
    let codec = ZstdCodec()
    let packBuilder = PackBuilder()

    /// Longer than anything that goes wrong lasts.
    static let patience: UInt64 = 120_000_000_000

    package init(seed: UInt64, options: Options) {
        self.seed = seed
        self.options = options
        settings = SimulationSettings(seed: seed)
        random = SeededRandom(seed: seed)
        volume = VolumeID(rawValue: random.next() | 1)
        workload = Workload(settings: settings, random: &random)
        trace = Trace(sink: options.trace)
        store = SimulatedStore(tagStyle: settings.tagStyle, ignoresPreconditions: options.ignoresPreconditions)
        faults = StoreFaults(rates: settings.storeRates)
        faults.slowestNanoseconds = settings.storeSlowestNanoseconds
        faults.timeoutNanoseconds = max(30_000_000, settings.storeSlowestNanoseconds * 2)
    }

    /// Runs the seed to its end.
    package func run() -> Outcome {
        var violation: Violation?
        do throws(Violation) {
            try begin()
            try runEvents { self.issued < self.options.operations && self.now < self.lastIssue + Self.patience }
            guard issued >= options.operations else {
                throw Violation(.progressAfterHealing, "no frontend could go on for \(Self.patience / 1_000_000_000) s")
            }
            try finish()
        } catch {
            violation = error
            violation?.seed = seed
            violation?.operation = issued
            violation?.operations = options.operations
            violation?.nanoseconds = now
            violation?.mutant = options.mutantName
        }
        return Outcome(
            seed: seed, violation: violation, rareEvents: rare, operations: issued, commits: commitCount,
            digest: trace.digest)
    }

    func runEvents(while goes: () -> Bool) throws(Violation) {
        while goes(), let next = queue.popFirst() {
            if next.time > now { idleAdvances = 0 }
            now = next.time
            try handle(next.event)
        }
        guard !goes() else { throw Violation(.progressAfterHealing, "nothing is left to happen") }
    }

    private func handle(_ event: Event) throws(Violation) {
        switch event {
        case .message(let gateway, let life, let frontend, let connection, let message):
            guard gateways[gateway].life == life, frontends[frontend].connection == connection else { return }
            deliver(message, to: gateways[gateway])
        case .batch(let gateway, let life): try alive(gateway, life) { g throws(Violation) in try runBatch(g) }
        case .deadline(let gateway, let life): try alive(gateway, life) { g throws(Violation) in try runDeadline(g) }
        case .disk(let gateway, let life, let operation):
            try alive(gateway, life) { g throws(Violation) in try completeDisk(g, operation) }
        case .cacheDisk(let gateway, let life, let operation):
            try alive(gateway, life) { g throws(Violation) in try completeCacheDisk(g, operation) }
        case .storeApplies(let request): try applyRequest(request)
        case .storeAnswers(let request): try answerRequest(request)
        case .reply(let frontend, let connection, let command, let kind):
            guard frontends[frontend].connection == connection else { return }
            receive(kind, for: command, frontend: frontend)
        case .wake(let frontend): try wake(frontend)
        case .start(let gateway, let life):
            guard gateways[gateway].life == life else { return }
            try start(gateways[gateway])
        case .action(let gateway, let life, let action): try perform(action, gateway, life)
        }
    }

    private func alive(
        _ gateway: Int, _ life: Int, _ body: (SimulatedGateway) throws(Violation) -> Void
    ) throws(Violation) {
        guard gateways[gateway].life == life, gateways[gateway].volume != nil else { return }
        try body(gateways[gateway])
    }

    // MARK: What everything uses

    var engineTime: EngineTime {
        EngineTime(nanoseconds: now + 1, wallMilliseconds: 1_700_000_000_000 + now / 1_000_000)
    }

    func schedule(_ event: Event, after nanoseconds: Int) { queue.add(event, at: now + UInt64(max(0, nanoseconds))) }

    /// Around `mean`: mostly less, sometimes several times as much.
    func spread(_ mean: Int) -> Int {
        let span = random.oneIn(6) ? mean * 4 : mean
        return span / 4 + random.below(max(1, span))
    }

    func nextCaller() -> CallerToken {
        lastCaller += 1
        return CallerToken(rawValue: lastCaller)
    }
}
