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
///
/// Registering for other initiator ports (SPEC_I_PT) is not offered, as REPORT CAPABILITIES says: they are named by
/// TransportIDs, and which nexuses those are only the frontends can tell.
struct PersistentReserveOutCommand: Equatable {
    /// REGISTER AND MOVE (07h) is not there: it names the new holder as SPEC_I_PT does, and nobody who clusters volumes
    /// asks for it.
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
    /// ALL_TG_PT. There is one target port, so that the registration reaches no further for it.
    var isForAllTargetPorts: Bool

    init(_ cdb: CDB, parameterList list: RawSpan) throws(CommandRefusal) {
        guard let serviceAction = ServiceAction(rawValue: cdb.serviceAction) else {
            throw .invalidFieldInCDB(byte: 1, bit: 4)
        }
        let fields = PersistentReserveOutCDB(cdb)
        let byteCount = Self.parameterListByteCount
        guard fields.parameterListLength >= byteCount, list.byteCount >= byteCount else {
            throw .error(.parameterListLengthError)
        }
        let flags = list.bigEndian(at: Self.flagsByte, as: UInt8.self)
        // The other service actions ignore the bit.
        let isRegistration = serviceAction == .register || serviceAction == .registerAndIgnoreExistingKey
        // Its list is longer, so that this comes before the length.
        if isRegistration, flags & 0x08 != 0 { throw .invalidFieldInParameterList(byte: Self.flagsByte) }
        guard fields.parameterListLength == byteCount else { throw .error(.parameterListLengthError) }
        self.serviceAction = serviceAction
        scope = fields.scope
        type = fields.type
        key = ReservationKey(rawValue: list.bigEndian(at: 0, as: UInt64.self))
        serviceActionKey = ReservationKey(rawValue: list.bigEndian(at: Self.serviceActionKeyByte, as: UInt64.self))
        isKeptOverPowerLoss = flags & 0x01 != 0
        isForAllTargetPorts = flags & 0x04 != 0
    }

    /// Scope and type of a reservation to be made; only whole units can be reserved.
    func checkedKind() throws(CommandRefusal) -> PersistentReservations.Kind {
        guard scope == 0, let kind = PersistentReservations.Kind(rawValue: type) else {
            throw .invalidFieldInCDB(byte: 2)
        }
        return kind
    }
}
