// SPDX-License-Identifier: Apache-2.0

/// PERSISTENT RESERVE OUT, SPC-4 §6.16: what of it lies in the CDB, and its parameter list.
///
/// | bytes | field | of REGISTER AND MOVE |
/// | --- | --- | --- |
/// | 0-7 | reservation key | the same |
/// | 8-15 | service action reservation key | the same |
/// | 16-19 | obsolete | 17: UNREG 02h, APTPL 01h; 18-19: relative target port |
/// | 20-23 | 20: SPEC_I_PT 08h, ALL_TG_PT 04h, APTPL 01h | byte count of the TransportID |
/// | 24- | with SPEC_I_PT: byte count of the TransportIDs (4), TransportIDs | one TransportID |
struct PersistentReserveOutCommand {
    enum ServiceAction: UInt8, CaseIterable {
        case register = 0
        case reserve = 1
        case release = 2
        case clear = 3
        case preempt = 4
        case preemptAndAbort = 5
        case registerAndIgnoreExistingKey = 6
        case registerAndMove = 7

        fileprivate var registers: Bool { self == .register || self == .registerAndIgnoreExistingKey }
    }

    static let parameterListByteCount = 24
    static let serviceActionKeyByte = 8
    private static let flagsByte = 20
    private static let relativeTargetPortByte = 18
    private static let moveFlagsByte = 17
    /// Of REGISTER AND MOVE; SPEC_I_PT's are behind their byte count.
    static let transportIDByte = 24

    var serviceAction: ServiceAction
    var scope: UInt8
    /// As the initiator gave it: only some service actions look at it.
    var type: UInt8
    var key: ReservationKey
    var serviceActionKey: ReservationKey
    /// APTPL.
    var isKeptOverPowerLoss = false
    /// ALL_TG_PT. There is one target port, so that the registration reaches no further for it.
    var isForAllTargetPorts = false
    /// SPEC_I_PT: the initiators in `transportIDs` are registered, too.
    var specifiesInitiatorPorts = false
    /// Of REGISTER AND MOVE: one, who takes the reservation over.
    var transportIDs: [(id: TransportID, byte: Int)] = []
    /// UNREG of REGISTER AND MOVE.
    var endsRegistration = false

    init(_ cdb: CDB, parameterList list: [UInt8]) throws(CommandRefusal) {
        guard let serviceAction = ServiceAction(rawValue: cdb.serviceAction) else {
            throw .invalidFieldInCDB(byte: 1, bit: 4)
        }
        let fields = PersistentReserveOutCDB(cdb)
        guard fields.parameterListLength >= Self.parameterListByteCount, list.count >= fields.parameterListLength else {
            throw .error(.parameterListLengthError)
        }
        self.serviceAction = serviceAction
        scope = fields.scope
        type = fields.type
        let list = list[..<fields.parameterListLength]
        key = ReservationKey(rawValue: list.number(at: 0, byteCount: 8))
        serviceActionKey = ReservationKey(rawValue: list.number(at: Self.serviceActionKeyByte, byteCount: 8))
        if serviceAction == .registerAndMove {
            try takeMove(list)
            return
        }
        isKeptOverPowerLoss = list[Self.flagsByte] & 0x01 != 0
        isForAllTargetPorts = list[Self.flagsByte] & 0x04 != 0
        // The other service actions ignore the bit.
        specifiesInitiatorPorts = serviceAction.registers && list[Self.flagsByte] & 0x08 != 0
        guard specifiesInitiatorPorts else {
            guard list.count == Self.parameterListByteCount else { throw .error(.parameterListLengthError) }
            return
        }
        guard serviceAction == .register else { throw .invalidFieldInParameterList(byte: Self.flagsByte) }
        try takeTransportIDs(list, at: Self.parameterListByteCount + 4, countAt: Self.parameterListByteCount)
    }

    private mutating func takeMove(_ list: ArraySlice<UInt8>) throws(CommandRefusal) {
        isKeptOverPowerLoss = list[Self.moveFlagsByte] & 0x01 != 0
        endsRegistration = list[Self.moveFlagsByte] & 0x02 != 0
        guard list.number(at: Self.relativeTargetPortByte, byteCount: 2) == TargetPort.relativeIdentifier else {
            throw .invalidFieldInParameterList(byte: Self.relativeTargetPortByte)
        }
        try takeTransportIDs(list, at: Self.transportIDByte, countAt: 20)
        // A whole device cannot hold a reservation.
        guard transportIDs.count == 1, case .port = transportIDs[0].id else {
            throw .invalidFieldInParameterList(byte: Self.transportIDByte)
        }
    }

    /// Everything from `start` to the end of the list.
    private mutating func takeTransportIDs(
        _ list: ArraySlice<UInt8>, at start: Int, countAt countByte: Int
    ) throws(CommandRefusal) {
        guard list.count >= start, list.number(at: countByte, byteCount: 4) == list.count - start else {
            throw .error(.parameterListLengthError)
        }
        var byte = start
        while byte < list.count {
            guard let (id, byteCount) = TransportID.read(list[byte...]) else {
                throw .invalidFieldInParameterList(byte: byte)
            }
            transportIDs.append((id, byte))
            byte += byteCount
        }
    }

    /// Scope and type of a reservation to be made; only whole units can be reserved.
    func checkedKind() throws(CommandRefusal) -> PersistentReservations.Kind {
        guard scope == 0, let kind = PersistentReservations.Kind(rawValue: type) else {
            throw .invalidFieldInCDB(byte: 2)
        }
        return kind
    }
}

extension ArraySlice<UInt8> {
    /// Big endian.
    fileprivate func number(at offset: Int, byteCount: Int) -> UInt64 {
        self[offset..<offset + byteCount].reduce(0) { $0 << 8 | UInt64($1) }
    }
}
