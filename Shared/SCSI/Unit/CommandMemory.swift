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

    /// The begin or the end of a session that was taken.
    struct Event: Equatable, Codable, Sendable {
        let nexus: NexusID
        let number: UInt64
    }

    struct Frontend: Equatable, Sendable {
        let instance: ServiceInstance
        var lowestOpenNumber: UInt64 = 0
        var answers = RememberedAnswers()
        /// The last one of each nexus, oldest first. They are not forgotten as answers are: `lowestOpenNumber` does not
        /// speak of them.
        var events: [Event] = []
    }

    /// Frontends that have run since, restarts included.
    package static let maximumFrontendCount = 64
    package static let maximumAnswerCount = RememberedAnswers.maximumCount
    /// A frontend's nexuses whose last begin or end is remembered: as many as there can be.
    package static let maximumEventCount = NexusTable.maximumAttachedCount

    /// Least recently used first.
    private(set) var frontends: [Frontend] = []
    /// Refusals among the answers: while there are any, no command may go by unseen.
    package private(set) var refusalCount = 0

    package init() {}

    init(frontends: [Frontend]) {
        self.frontends = frontends.suffix(Self.maximumFrontendCount)
        refusalCount = self.frontends.reduce(0) { $0 + $1.answers.refusalCount }
    }

    package mutating func verdict(on origin: CommandOrigin) -> Verdict {
        guard let position = position(of: origin.frontend) else { return .new }
        forget(below: min(origin.lowestOpenNumber, origin.number), at: position)
        if let answer = frontends[position].answers[origin.number] { return .answered(answer) }
        return origin.number < frontends[position].lowestOpenNumber ? .stale : .new
    }

    package mutating func remember(_ answer: Answer, of origin: CommandOrigin) {
        let position = makeNewest(origin.frontend)
        forget(below: min(origin.lowestOpenNumber, origin.number), at: position)
        refusalCount -= frontends[position].answers.refusalCount
        frontends[position].answers.insert(answer, of: origin.number)
        refusalCount += frontends[position].answers.refusalCount
    }

    /// Whether this begin or end of a session was taken, or a later one of its nexus, which leaves nothing to do.
    package func hasTaken(eventFrom origin: CommandOrigin) -> Bool {
        guard let position = position(of: origin.frontend) else { return false }
        return frontends[position].events.contains { $0.nexus == origin.nexus && $0.number >= origin.number }
    }

    package mutating func remember(eventFrom origin: CommandOrigin) {
        let position = makeNewest(origin.frontend)
        frontends[position].events.removeAll { $0.nexus == origin.nexus }
        if frontends[position].events.count >= Self.maximumEventCount { frontends[position].events.removeFirst() }
        frontends[position].events.append(Event(nexus: origin.nexus, number: origin.number))
    }

    /// The unit is sanitized: whoever asks again is answered at once.
    mutating func completeSanitize() {
        for position in frontends.indices { frontends[position].answers.completeSanitize() }
    }

    /// The frontend does not run any more.
    package mutating func forget(_ instance: ServiceInstance) {
        if let position = position(of: instance) { remove(at: position) }
    }

    private mutating func forget(below number: UInt64, at position: Int) {
        guard number > frontends[position].lowestOpenNumber else { return }
        frontends[position].lowestOpenNumber = number
        guard !frontends[position].answers.isEmpty else { return }
        refusalCount -= frontends[position].answers.refusalCount
        frontends[position].answers.forget(below: number)
        refusalCount += frontends[position].answers.refusalCount
    }

    /// The last one; the one that was not used for longest makes room for a new one.
    private mutating func makeNewest(_ instance: ServiceInstance) -> Int {
        if let position = position(of: instance) {
            if position != frontends.count - 1 { frontends.append(frontends.remove(at: position)) }
        } else {
            if frontends.count >= Self.maximumFrontendCount { remove(at: 0) }
            frontends.append(Frontend(instance: instance))
        }
        return frontends.count - 1
    }

    private mutating func remove(at position: Int) {
        refusalCount -= frontends.remove(at: position).answers.refusalCount
    }

    /// Those that send anything are near the end.
    private func position(of instance: ServiceInstance) -> Int? {
        frontends.lastIndex { $0.instance == instance }
    }
}
