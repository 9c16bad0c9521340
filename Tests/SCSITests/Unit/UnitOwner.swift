// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import SCSI
import Wire

/// A device server and the frontend that its commands come through; nexuses are numbers.
struct UnitOwner {
    static let powerOn = "boot-1"
    static let frontend = ServiceInstance(rawValue: 0xF1)

    var server: DeviceServer
    private(set) var lastNumber: UInt64 = 0

    /// - Parameter nexuses: have sessions, and no unit attention pending.
    init(
        nexuses: [UInt64] = [1, 2, 3], _ blockSize: LogicalBlockSize = .sector, isRemovable: Bool = false,
        _ change: (inout LogicalUnit) -> Void = { _ in }
    ) {
        var unit = TestUnit.make(blockSize, isRemovable: isRemovable)
        change(&unit)
        server = DeviceServer(unit: unit, state: nil, powerOn: Self.powerOn)
        for nexus in nexuses {
            attach(nexus)
            while takeAttention(nexus) != nil {}
        }
    }

    static func port(_ nexus: UInt64) -> String { "iqn.2026-11.org.example:host\(nexus),i,0x00023d00000\(nexus)" }

    mutating func attach(_ nexus: UInt64) {
        server.attach(initiatorPort: Self.port(nexus), access: "", from: origin(nexus))
    }

    mutating func lose(_ nexus: UInt64) { server.lose(from: origin(nexus)) }

    mutating func reset(_ kind: DeviceServer.ResetKind) { server.reset(kind, from: origin(1)) }

    /// A new request; all earlier ones are answered.
    mutating func origin(_ nexus: UInt64) -> CommandOrigin {
        lastNumber += 1
        return CommandOrigin(
            nexus: NexusID(rawValue: nexus), frontend: Self.frontend, number: lastNumber,
            lowestOpenNumber: lastNumber)
    }

    /// A new request while that of `open` is not answered.
    mutating func openOrigin(_ nexus: UInt64, since open: CommandOrigin) -> CommandOrigin {
        var origin = origin(nexus)
        origin.lowestOpenNumber = open.number
        return origin
    }

    mutating func perform(_ cdb: [UInt8], _ dataOut: [UInt8] = [], from nexus: UInt64 = 1) -> DeviceServerAction {
        let origin = origin(nexus)
        let unit = server.unit
        return server.perform(CDB(cdb), dataOut: dataOut, from: origin) {
            CopyTarget(volume: $0, sectorCount: unit.sectorCount, blockSize: unit.blockSize)
        }
    }

    /// For commands that are answered at once.
    mutating func send(_ cdb: [UInt8], _ dataOut: [UInt8] = [], from nexus: UInt64 = 1) -> Answer {
        switch perform(cdb, dataOut, from: nexus) {
        case .complete(let result), .abortTasks(_, let result), .flush(let result): Answer(result)
        case .lbaStatus, .copy, .sanitize, .inProgress: .other
        }
    }

    /// Whether a command that the decoder decodes may run.
    mutating func admit(_ cdb: [UInt8], from nexus: UInt64 = 1) -> Answer {
        let origin = origin(nexus)
        guard let definition = try? CommandTable.definition(of: CDB(cdb), isSanitizeAllowed: true) else {
            return .other
        }
        return server.admit(definition.traits, from: origin).map { Answer($0) } ?? .good
    }

    /// As REQUEST SENSE tells it; nil for none.
    mutating func takeAttention(_ nexus: UInt64) -> UInt16? {
        guard case .complete(let result) = perform([0x03, 0, 0, 0, 18, 0], from: nexus), result.dataIn.count == 18,
            result.dataIn[2] == 0x06
        else { return nil }
        return UInt16(result.dataIn[12]) << 8 | UInt16(result.dataIn[13])
    }

    mutating func attentions(_ nexus: UInt64) -> [UInt16] {
        var codes: [UInt16] = []
        while let code = takeAttention(nexus) { codes.append(code) }
        return codes
    }

    /// The owner's process ends and another takes over from what was saved.
    mutating func restart(powerOn: String = powerOn, _ change: (inout LogicalUnit) -> Void = { _ in }) throws {
        let record = try JSONEncoder().encode(server.state)
        let state = try JSONDecoder().decode(UnitState.self, from: record)
        var unit = server.unit
        change(&unit)
        server = DeviceServer(unit: unit, state: state, powerOn: powerOn)
    }
}

/// Status, or key and additional code.
enum Answer: Equatable {
    case good
    case conflict
    case busy
    case sense(Sense.Key, UInt16)
    case other

    init(_ result: CommandResult) {
        switch (result.status, result.sense) {
        case (.good, nil): self = .good
        case (.reservationConflict, nil): self = .conflict
        case (.busy, nil): self = .busy
        case (.checkCondition, let sense?): self = .sense(sense.key, sense.additionalCode)
        default: self = .other
        }
    }

    static func illegal(_ code: UInt16) -> Self { .sense(.illegalRequest, code) }
    static func attention(_ code: UInt16) -> Self { .sense(.unitAttention, code) }
}

/// PERSISTENT RESERVE OUT and IN of a nexus.
extension UnitOwner {
    enum Out: UInt8 { case register, reserve, release, clear, preempt, preemptAndAbort, registerAndIgnore }

    static func list(key: UInt64, newKey: UInt64 = 0, flags: UInt8 = 0) -> [UInt8] {
        key.bytes + newKey.bytes + [0, 0, 0, 0, flags, 0, 0, 0]
    }

    static func cdb(_ action: Out, scopeAndType: UInt8 = 0) -> [UInt8] {
        [0x5F, action.rawValue, scopeAndType, 0, 0, 0, 0, 0, 24, 0]
    }

    mutating func out(
        _ action: Out, type: UInt8 = 0, key: UInt64 = 0, newKey: UInt64 = 0, flags: UInt8 = 0, from nexus: UInt64
    ) -> Answer {
        send(Self.cdb(action, scopeAndType: type), Self.list(key: key, newKey: newKey, flags: flags), from: nexus)
    }

    /// With the key `0xA0` and the nexus's number.
    mutating func register(_ nexuses: UInt64..., flags: UInt8 = 0) {
        for nexus in nexuses { _ = out(.register, newKey: 0xA0 + nexus, flags: flags, from: nexus) }
    }

    mutating func reserve(_ type: UInt8, from nexus: UInt64) -> Answer {
        out(.reserve, type: type, key: 0xA0 + nexus, from: nexus)
    }

    var keys: [UInt64] { server.state.persistentReservations.registrants.map(\.key.rawValue) }
    var reservedType: UInt8? { server.state.persistentReservations.reservation?.kind.rawValue }
    var holder: UInt64? { server.state.persistentReservations.reservation?.holder?.rawValue }
    var generation: UInt32 { server.state.persistentReservations.generation }
}

extension DeviceServerAction {
    var completed: CommandResult? {
        if case .complete(let result) = self { return result }
        return nil
    }

    var copyOperation: CopyOperation? {
        if case .copy(let operation) = self { return operation }
        return nil
    }
}
