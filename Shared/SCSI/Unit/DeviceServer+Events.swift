// SPDX-License-Identifier: Apache-2.0
package import Wire

/// What happens to nexuses and unit, and who is told of it by unit attention.
extension DeviceServer {
    /// A session begins; one that is there already for the nexus is replaced.
    /// - Parameter initiatorPort: its name, ",i,0x" and the ISID.
    /// - Returns: False when the unit has as many nexuses as it takes: the login is to be refused.
    @discardableResult
    package mutating func attach(
        _ nexus: NexusID, initiatorPort: String, through frontend: ServiceInstance
    ) -> Bool {
        change { state in
            if state.reservingNexus == nexus { state.reservingNexus = nil }
            return state.nexuses.attach(nexus, port: initiatorPort, through: frontend)
        }
    }

    /// The session ended, by logout or otherwise. Its reservation by RESERVE, its PREVENT and its copy results end with
    /// it; its registration does not. A session that the nexus has meanwhile through another frontend goes on.
    package mutating func lose(_ nexus: NexusID, through frontend: ServiceInstance) {
        guard state.nexuses.attached[nexus]?.frontend == frontend else { return }
        change { $0.lose(nexus) }
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
    package mutating func reset(_ kind: ResetKind) {
        change { $0.reset(kind.attention) }
    }

    /// CLEAR TASK SET: the others learn that commands of theirs may be gone.
    package mutating func clearTaskSet(by nexus: NexusID) {
        change { $0.nexuses.post(.commandsClearedByAnotherInitiator, except: nexus) }
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
        let former = self.unit
        self.unit = unit
        if unit.sectorCount != former.sectorCount { post(.capacityDataHasChanged) }
        if unit.isReadOnly != former.isReadOnly || unit.isWriteCacheEnabled != former.isWriteCacheEnabled {
            post(.modeParametersChanged)
        }
        if StandardInquiry.data(of: unit) != StandardInquiry.data(of: former)
            || DeviceIdentificationPage.body(of: unit) != DeviceIdentificationPage.body(of: former)
        {
            post(.inquiryDataHasChanged)
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
