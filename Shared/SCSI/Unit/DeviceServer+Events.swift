// SPDX-License-Identifier: Apache-2.0
package import Wire

/// What happens to nexuses and unit, and who is told of it by unit attention.
extension DeviceServer {
    /// A session of `origin.nexus` begins; one that it has already is replaced.
    /// - Parameters:
    ///   - initiatorPort: its name, ",i,0x" and the ISID.
    ///   - access: what admitted the session, in words that only the frontend needs to understand; empty if nothing
    ///     was asked for. Sessions with the same initiator name and access are the same initiator's.
    /// - Returns: False when the unit has as many nexuses as it takes: the login is to be refused.
    @discardableResult
    package mutating func attach(initiatorPort: String, access: String, from origin: CommandOrigin) -> Bool {
        onceOfNexus(origin) { server in
            server.disownCopies { $0.nexus == origin.nexus }
            if server.state.reservingNexus == origin.nexus { server.state.reservingNexus = nil }
            guard
                server.state.nexuses.attach(
                    origin.nexus, port: initiatorPort, access: access, through: origin.frontend)
            else { return }
            server.state.persistentReservations.name(origin.nexus, port: initiatorPort)
        }
        return state.nexuses.attached[origin.nexus] != nil
    }

    /// The session ended, by logout or otherwise. Its reservation by RESERVE, its PREVENT and its copy results end with
    /// it; its registration does not. A session that the nexus has meanwhile through another frontend goes on.
    package mutating func lose(from origin: CommandOrigin) {
        onceOfNexus(origin) { server in
            guard server.state.nexuses.attached[origin.nexus]?.frontend == origin.frontend else { return }
            server.lose(origin.nexus)
        }
    }

    /// The frontend does not run any more: its sessions ended, and it asks nothing again.
    package mutating func lose(allThrough frontend: ServiceInstance) {
        let nexuses = state.nexuses.attached.filter { $0.value.frontend == frontend }.keys.sorted()
        for nexus in nexuses { lose(nexus) }
        for index in runningCopies.indices where runningCopies[index].frontend == frontend {
            runningCopies[index].isAnswered = false
        }
        change { $0.answered.forget(frontend) }
    }

    /// Every nexus is told, also the one that asked for it. Persistent reservations stay and a sanitize goes on.
    /// - Returns: false for a repeat, which changes nothing.
    @discardableResult
    package mutating func reset(_ kind: ResetKind, from origin: CommandOrigin) -> Bool {
        // A request as commands are: the frontend says when it has the answer.
        guard state.answered.verdict(on: origin) == .new else { return false }
        disownCopies { _ in true }
        change { state in
            state.reset(kind.attention)
            if kind == .targetCold { state.coldResetCount += 1 }
            state.answered.remember(.completed(.good), of: origin)
        }
        return true
    }

    /// Begins and ends of sessions come in requests, too, which may be repeated when their effect was undone meanwhile.
    /// They may stay open for longer than commands with higher numbers, so that a low number says nothing about them:
    /// only what is remembered was done.
    private mutating func onceOfNexus(_ origin: CommandOrigin, _ body: (inout Self) -> Void) {
        guard !state.answered.hasTaken(eventFrom: origin) else { return }
        body(&self)
        change { $0.answered.remember(eventFrom: origin) }
    }

    private mutating func lose(_ nexus: NexusID) {
        disownCopies { $0.nexus == nexus }
        state.lose(nexus)
    }

    /// Copies that run on for a while, but that nobody can ask about any more: their list identifiers are free.
    private mutating func disownCopies(where isDisowned: (RunningCopy) -> Bool) {
        for index in runningCopies.indices where isDisowned(runningCopies[index]) { runningCopies[index].listID = nil }
    }

    /// Somebody who looks after the unit takes all reservations and registrations away, as CLEAR would.
    package mutating func clearReservations() {
        change { state in
            state.reservingNexus = nil
            state.nexuses.post(.reservationsPreempted, to: state.persistentReservations.registrants.map(\.nexus))
            state.persistentReservations.clear()
        }
    }

    /// Tells all nexuses of what happened to the unit outside of any command.
    package mutating func post(_ attention: UnitAttention) {
        change { $0.nexuses.post(attention) }
    }

    /// The unit is another than before: all nexuses are told what of it they may have remembered wrongly.
    package mutating func update(_ unit: LogicalUnit) {
        self.unit = unit
        tellOfUnit()
    }

    /// Once for each difference to what was told; of a unit of which nothing is known to have been told, nothing.
    mutating func tellOfUnit() {
        let current = ToldUnit(unit)
        if !current.isWriteCacheEnabled {
            writeCacheCandidates = []
            // Also of a state from before this was kept.
            if state.writeCacheReaders != [] {
                change { $0.writeCacheReaders = [] }
            }
        }
        guard state.told != current else { return }
        change { state in
            for attention in state.told?.attentions(for: current) ?? [] { state.nexuses.post(attention) }
            if state.told?.isWriteCacheEnabled == false { state.writeCacheReaders = [] }
            state.told = current
        }
    }

    /// Everything is unmapped. Harmless when no sanitize is in progress.
    package mutating func finishSanitize() {
        guard state.isSanitizing else { return }
        sanitizeProgress = 0
        change { state in
            state.isSanitizing = false
            state.answered.completeSanitize()
        }
    }
}

/// Who is logged in.
extension DeviceServer {
    /// Of the port that the nexus was announced with; nil: nobody has announced it.
    package func initiatorName(of nexus: NexusID) -> String? { state.nexuses.attached[nexus]?.initiatorName }

    /// What admitted its session; nil: nobody has said so.
    package func access(of nexus: NexusID) -> String? { state.nexuses.attached[nexus]?.access }

    package func isLoggedIn(_ initiatorName: String, access: String) -> Bool {
        state.nexuses.attached.values.contains { $0.initiatorName == initiatorName && $0.access == access }
    }

    /// Through which frontend each nexus has its session, for the owner to go on with after a restart.
    package var attachedFrontends: [NexusID: ServiceInstance] { state.nexuses.attached.mapValues(\.frontend) }
}
