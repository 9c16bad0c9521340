// SPDX-License-Identifier: Apache-2.0
package import Wire

/// What happens to nexuses and unit, and who is told of it by unit attention.
extension DeviceServer {
    /// A session of `origin.nexus` begins; one that it has already is replaced.
    /// - Parameter initiatorPort: its name, ",i,0x" and the ISID.
    /// - Returns: False when the unit has as many nexuses as it takes: the login is to be refused.
    @discardableResult
    package mutating func attach(initiatorPort: String, from origin: CommandOrigin) -> Bool {
        onceOfNexus(origin) { state in
            if state.reservingNexus == origin.nexus { state.reservingNexus = nil }
            guard state.nexuses.attach(origin.nexus, port: initiatorPort, through: origin.frontend) else { return }
            state.persistentReservations.name(origin.nexus, port: initiatorPort)
        }
        return state.nexuses.attached[origin.nexus] != nil
    }

    /// The session ended, by logout or otherwise. Its reservation by RESERVE, its PREVENT and its copy results end with
    /// it; its registration does not. A session that the nexus has meanwhile through another frontend goes on.
    package mutating func lose(from origin: CommandOrigin) {
        onceOfNexus(origin) { state in
            guard state.nexuses.attached[origin.nexus]?.frontend == origin.frontend else { return }
            state.lose(origin.nexus)
        }
    }

    /// The frontend does not run any more: its sessions ended, and it asks nothing again.
    package mutating func lose(allThrough frontend: ServiceInstance) {
        let nexuses = state.nexuses.attached.filter { $0.value.frontend == frontend }.keys.sorted()
        change { state in
            for nexus in nexuses { state.lose(nexus) }
            state.answered.forget(frontend)
        }
    }

    /// Every nexus is told, also the one that asked for it. Persistent reservations stay and a sanitize goes on.
    /// - Returns: false for a repeat, which changes nothing.
    @discardableResult
    package mutating func reset(_ kind: ResetKind, from origin: CommandOrigin) -> Bool {
        // A request as commands are: the frontend says when it has the answer.
        guard state.answered.verdict(on: origin) == .new else { return false }
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
    @discardableResult
    private mutating func onceOfNexus(_ origin: CommandOrigin, _ body: (inout UnitState) -> Void) -> Bool {
        guard !state.answered.hasTaken(eventFrom: origin) else { return false }
        change { state in
            body(&state)
            state.answered.remember(eventFrom: origin)
        }
        return true
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
        guard state.told != current else { return }
        change { state in
            for attention in state.told?.attentions(for: current) ?? [] { state.nexuses.post(attention) }
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
    package func initiatorName(of nexus: NexusID) -> String? {
        state.nexuses.attached[nexus].flatMap { Self.initiatorName(ofPort: $0.port) }
    }

    package func isLoggedIn(_ initiatorName: String) -> Bool {
        state.nexuses.attached.values.contains { Self.initiatorName(ofPort: $0.port) == initiatorName }
    }

    private static func initiatorName(ofPort port: String) -> String? {
        guard let end = port.ranges(of: ",i,0x").last else { return nil }
        return String(port[..<end.lowerBound])
    }
}
