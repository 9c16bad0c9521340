// SPDX-License-Identifier: Apache-2.0

/// RESERVE and RELEASE, PERSISTENT RESERVE IN and OUT.
extension DeviceServer {
    /// Another nexus's RESERVE was judged before.
    mutating func reserve(_ fields: ReserveCDB, by nexus: NexusID) throws(CommandRefusal) -> DeviceServerAction {
        guard state.persistentReservations.registrants.isEmpty else { throw .reservationConflict }
        try check(fields)
        state.reservingNexus = nexus
        return .complete(.good)
    }

    /// Who has nothing reserved gives nothing up, which is no error. The two kinds of reservation exclude each other,
    /// but a nexus that holds the older one must be able to give it up whatever was registered since.
    mutating func release(_ fields: ReserveCDB, by nexus: NexusID) throws(CommandRefusal) -> DeviceServerAction {
        if state.reservingNexus != nexus, !state.persistentReservations.registrants.isEmpty {
            throw .reservationConflict
        }
        try check(fields)
        if state.reservingNexus == nexus { state.reservingNexus = nil }
        return .complete(.good)
    }

    /// Only whole units, and only for oneself.
    private func check(_ fields: ReserveCDB) throws(CommandRefusal) {
        if fields.thirdParty { throw .invalidFieldInCDB(byte: 1, bit: 4) }
        if fields.longID { throw .invalidFieldInCDB(byte: 1, bit: 1) }
        if fields.extent { throw .invalidFieldInCDB(byte: 1, bit: 0) }
    }

    mutating func persistentReserveOut(
        _ cdb: CDB, _ dataOut: [UInt8], by nexus: NexusID
    ) throws(CommandRefusal) -> DeviceServerAction {
        let command = try PersistentReserveOutCommand(cdb, parameterList: dataOut)
        let sender = PersistentReservations.InitiatorPort(
            nexus: nexus, name: state.nexuses.attached[nexus]?.port ?? "")
        let effects = try state.persistentReservations.apply(command, by: sender, naming: try ports(named: command))
        if let attention = effects.attention { state.nexuses.post(attention, to: effects.toldNexuses) }
        state.nexuses.post(.registrationsPreempted, to: effects.preemptedNexuses)
        guard command.serviceAction == .preemptAndAbort else { return .complete(.good) }
        return .abortTasks(of: effects.preemptedNexuses, .good)
    }

    /// A device is all of its ports that are logged in; without any it is nobody.
    private func ports(
        named command: PersistentReserveOutCommand
    ) throws(CommandRefusal) -> [PersistentReservations.InitiatorPort] {
        var ports: [PersistentReservations.InitiatorPort] = []
        for (id, byte) in command.transportIDs {
            let names =
                switch id {
                case .port(let name): [name]
                case .device(let name):
                    state.nexuses.attached.values.filter { $0.initiatorName == name }.map(\.port).sorted()
                }
            guard !names.isEmpty else { throw .invalidFieldInParameterList(byte: byte) }
            ports += names.map { name in
                PersistentReservations.InitiatorPort(
                    nexus: NexusID(initiatorPort: name, targetName: unit.targetName), name: name)
            }
        }
        return ports
    }

    func persistentReserveIn(_ cdb: CDB) throws(CommandRefusal) -> DeviceServerAction {
        guard let report = PersistentReservations.Report(rawValue: cdb.serviceAction) else {
            throw .invalidFieldInCDB(byte: 1, bit: 4)
        }
        let data = state.persistentReservations.data(of: report, relativeTargetPort: TargetPort.relativeIdentifier)
        let fields = PersistentReserveInCDB(cdb)
        return .complete(CommandResult(dataIn: data, allocationLength: fields.allocationLength))
    }
}
