// SPDX-License-Identifier: Apache-2.0

/// PERSISTENT RESERVE OUT, SPC-4 §6.16: what of it lies in the CDB, and its parameter list.
///
/// | bytes | field |
/// | --- | --- |
/// | 0-7 | reservation key |
/// | 8-15 | service action reservation key |
/// | 16-19 | obsolete |
/// | 20 | SPEC_I_PT 08h, ALL_TG_PT 04h, APTPL 01h |
/// | 21-23 | reserved, obsolete |
struct PersistentReserveOutCommand: Equatable {
    /// REGISTER AND MOVE (07h) is not there: nobody who clusters volumes asks for it.
    enum ServiceAction: UInt8, CaseIterable {
        case register = 0
        case reserve = 1
        case release = 2
        case clear = 3
        case preempt = 4
        case preemptAndAbort = 5
        case registerAndIgnoreExistingKey = 6
    }

    static let parameterListByteCount = 24
    static let serviceActionKeyByte = 8
    private static let flagsByte = 20

    var serviceAction: ServiceAction
    var scope: UInt8
    /// As the initiator gave it: only some service actions look at it.
    var type: UInt8
    var key: ReservationKey
    var serviceActionKey: ReservationKey
    /// APTPL.
    var isKeptOverPowerLoss: Bool

    init(_ cdb: CDB, parameterList list: RawSpan) throws(CommandRefusal) {
        guard let serviceAction = ServiceAction(rawValue: cdb.serviceAction) else {
            throw .invalidFieldInCDB(byte: 1, bit: 4)
        }
        let fields = PersistentReserveOutCDB(cdb)
        let byteCount = Self.parameterListByteCount
        guard fields.parameterListLength == byteCount, list.byteCount >= byteCount else {
            throw .error(.parameterListLengthError)
        }
        self.serviceAction = serviceAction
        scope = fields.scope
        type = fields.type
        key = ReservationKey(rawValue: list.bigEndian(at: 0, as: UInt64.self))
        serviceActionKey = ReservationKey(rawValue: list.bigEndian(at: Self.serviceActionKeyByte, as: UInt64.self))
        let flags = list.bigEndian(at: Self.flagsByte, as: UInt8.self)
        isKeptOverPowerLoss = flags & 0x01 != 0
        let isRegistration = serviceAction == .register || serviceAction == .registerAndIgnoreExistingKey
        // Registering for other initiators or through other ports, which there are not, is not offered. The other
        // service actions ignore the bits.
        if isRegistration, flags & 0x0C != 0 { throw .invalidFieldInParameterList(byte: Self.flagsByte) }
    }

    /// Scope and type of a reservation to be made; only whole units can be reserved.
    func checkedKind() throws(CommandRefusal) -> PersistentReservations.Kind {
        guard scope == 0, let kind = PersistentReservations.Kind(rawValue: type) else {
            throw .invalidFieldInCDB(byte: 2)
        }
        return kind
    }
}
