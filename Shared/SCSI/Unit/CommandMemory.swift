// SPDX-License-Identifier: Apache-2.0
package import Wire

/// What commands were answered that must not be judged or carried out again when their request comes again: those that
/// may have changed something, and those that were refused, since what refused them (a unit attention, a reservation)
/// may be gone by then. Bounded: a frontend says which answers it has, and neither frontends nor answers grow without
/// limit.
package struct CommandMemory: Equatable, Sendable {
    package enum Answer: Equatable, Sendable {
        /// Given before the command began.
        case refused(CommandResult)
        case completed(CommandResult)
        /// To be given once everything acknowledged is durable.
        case flushes(CommandResult)
        /// To be given once nothing of these nexuses can be applied any more.
        case abortsTasks(of: [NexusID], CommandResult)
        /// To be given once the unit is sanitized.
        case sanitizes
    }

    package enum Verdict: Equatable, Sendable {
        case new
        case answered(Answer)
        /// A copy that was long on its way: nobody waits for its answer.
        case stale
    }

    struct Entry: Equatable, Sendable {
        let number: UInt64
        var answer: Answer
    }

    /// The begin or the end of a session that was taken.
    struct Event: Equatable, Codable, Sendable {
        let nexus: NexusID
        let number: UInt64
    }

    struct Frontend: Equatable, Sendable {
        let instance: ServiceInstance
        var lowestOpenNumber: UInt64 = 0
        /// In the order in which they were answered.
        var entries: [Entry] = []
        /// The last one of each nexus, oldest first. They are not forgotten as answers are: `lowestOpenNumber` does not
        /// speak of them.
        var events: [Event] = []
    }

    /// Frontends that have run since, restarts included.
    package static let maximumFrontendCount = 64
    /// More than a frontend has open at a time.
    package static let maximumAnswerCount = 1024
    /// A frontend's nexuses whose last begin or end is remembered: as many as there can be.
    package static let maximumEventCount = NexusTable.maximumAttachedCount

    /// Least recently used first.
    var frontends: [Frontend] = []
    /// Refusals among the answers: while there are any, no command may go by unseen.
    package private(set) var refusalCount = 0

    package init() {}

    init(frontends: [Frontend]) {
        self.frontends = frontends.suffix(Self.maximumFrontendCount)
        countRefusals()
    }

    package mutating func verdict(on origin: CommandOrigin) -> Verdict {
        guard let position = position(of: origin.frontend) else { return .new }
        forget(below: min(origin.lowestOpenNumber, origin.number), at: position)
        if let entry = frontends[position].entries.first(where: { $0.number == origin.number }) {
            return .answered(entry.answer)
        }
        return origin.number < frontends[position].lowestOpenNumber ? .stale : .new
    }

    package mutating func remember(_ answer: Answer, of origin: CommandOrigin) {
        var frontend = takeFrontend(origin.frontend)
        frontend.lowestOpenNumber = max(frontend.lowestOpenNumber, min(origin.lowestOpenNumber, origin.number))
        frontend.entries.removeAll { $0.number == origin.number || $0.number < frontend.lowestOpenNumber }
        if frontend.entries.count >= Self.maximumAnswerCount { frontend.entries.removeFirst() }
        frontend.entries.append(Entry(number: origin.number, answer: answer))
        frontends.append(frontend)
        countRefusals()
    }

    /// Whether this begin or end of a session was taken, or a later one of its nexus, which leaves nothing to do for it.
    package func hasTaken(eventFrom origin: CommandOrigin) -> Bool {
        guard let position = position(of: origin.frontend) else { return false }
        return frontends[position].events.contains { $0.nexus == origin.nexus && $0.number >= origin.number }
    }

    package mutating func remember(eventFrom origin: CommandOrigin) {
        var frontend = takeFrontend(origin.frontend)
        frontend.events.removeAll { $0.nexus == origin.nexus }
        if frontend.events.count >= Self.maximumEventCount { frontend.events.removeFirst() }
        frontend.events.append(Event(nexus: origin.nexus, number: origin.number))
        frontends.append(frontend)
        countRefusals()
    }

    /// The unit is sanitized: whoever asks again is answered at once.
    mutating func completeSanitize() {
        for position in frontends.indices {
            for index in frontends[position].entries.indices
            where frontends[position].entries[index].answer == .sanitizes {
                frontends[position].entries[index].answer = .completed(.good)
            }
        }
    }

    /// The frontend does not run any more.
    package mutating func forget(_ instance: ServiceInstance) {
        frontends.removeAll { $0.instance == instance }
        countRefusals()
    }

    private mutating func forget(below number: UInt64, at position: Int) {
        guard number > frontends[position].lowestOpenNumber else { return }
        frontends[position].lowestOpenNumber = number
        frontends[position].entries.removeAll { $0.number < number }
        countRefusals()
    }

    /// Out of its place, to be appended again; the one that was not used for longest makes room for a new one.
    private mutating func takeFrontend(_ instance: ServiceInstance) -> Frontend {
        if let position = position(of: instance) { return frontends.remove(at: position) }
        if frontends.count >= Self.maximumFrontendCount { frontends.removeFirst() }
        return Frontend(instance: instance)
    }

    private func position(of instance: ServiceInstance) -> Int? {
        frontends.firstIndex { $0.instance == instance }
    }

    private mutating func countRefusals() {
        refusalCount = frontends.reduce(0) { count, frontend in
            count + frontend.entries.count { if case .refused = $0.answer { true } else { false } }
        }
    }
}
