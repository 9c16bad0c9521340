// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import FuzzSupport
import SCSI
import Wire

/// Decoder and device server of one unit as frontend and cache manager use them, and a model of who may do what.
struct UnitModel {
    private static let targetName = "iqn.2026-01.a:t"
    /// Two of them are of one device.
    private static let ports = [
        "iqn.a,i,0x000000000001", "iqn.a,i,0x0000000000b2", "iqn.b,i,0x000000000001",
        "eui.c,i,0x000000000000",
    ]
    private static let nexuses = ports.map { NexusID(initiatorPort: $0, targetName: targetName) }
    private static let frontends = [ServiceInstance(rawValue: 1), ServiceInstance(rawValue: 2)]
    private static let other = VolumeID(rawValue: 0x22)

    private var decoder: CommandDecoder
    private var server: DeviceServer
    private var reservations = ReservationModel()
    /// Who was told of the write cache since it was switched on, and of these who has flushed since; nil: it was never
    /// off.
    private var writeCacheTold: Set<NexusID> = []
    private var writeCacheReaders: Set<NexusID>?
    /// Per frontend.
    private var nextNumbers: [UInt64] = [1, 1]
    private var lowestOpenNumbers: [UInt64] = [0, 0]
    private var copies: [CopyOperation] = []
    private var powerOn = "boot-0"
    /// Commands that the server was asked about; without data, whether they may run.
    private var sent: [(cdb: CDB, dataOut: [UInt8]?, origin: CommandOrigin)] = []

    init(_ input: inout FuzzInput) {
        var unit = LogicalUnit(volume: VolumeID(rawValue: 0x11), sectorCount: 1 << 21, targetName: Self.targetName)
        let flags = input.byte()
        if flags & 1 != 0 { unit.sectorCount = 1 << 33 }
        unit.isSanitizeAllowed = flags & 2 != 0
        unit.isReadOnly = flags & 0x1c == 0x1c
        unit.isWriteCacheEnabled = flags & 0x20 != 0
        writeCacheReaders = unit.isWriteCacheEnabled ? nil : []
        decoder = CommandDecoder(unit: unit)
        server = DeviceServer(unit: unit, state: nil, powerOn: powerOn)
    }

    // MARK: Commands

    private mutating func origin(_ input: inout FuzzInput) -> CommandOrigin {
        let choice = input.byte()
        let frontend = Int(choice >> 2 & 1)
        let number = nextNumbers[frontend]
        nextNumbers[frontend] += 1
        if choice & 0x80 != 0 { lowestOpenNumbers[frontend] = number - min(number, UInt64(choice >> 3 & 7)) }
        return CommandOrigin(
            nexus: Self.nexuses[Int(choice & 3)], frontend: Self.frontends[frontend], number: number,
            lowestOpenNumber: lowestOpenNumbers[frontend])
    }

    /// One of the last commands comes again: its answer was lost.
    mutating func repeatCommand(_ input: inout FuzzInput) {
        guard !sent.isEmpty else { return }
        let (cdb, dataOut, origin) = sent[sent.count - 1 - input.choice(min(8, sent.count))]
        if let dataOut { perform(cdb, dataOut, origin) } else { admit(cdb, origin) }
        check()
    }

    mutating func command(_ cdb: CDB, _ input: inout FuzzInput, dataOut: [UInt8]? = nil) {
        let origin = origin(&input)
        let expected = dataOut?.count ?? (input.flag() ? Int(input.integer(UInt16.self)) : 0)
        let unitNumber = LogicalUnitNumber(rawValue: input.byte() < 0xf8 ? 0 : input.integer())
        let disposition = decoder.begin(cdb, lun: unitNumber, expectedDataOutByteCount: expected)
        carryOut(disposition, cdb, dataOut, expected, origin, &input)
        check()
    }

    private mutating func carryOut(
        _ disposition: CommandDisposition, _ cdb: CDB, _ dataOut: [UInt8]?, _ expected: Int, _ origin: CommandOrigin,
        _ input: inout FuzzInput
    ) {
        switch disposition {
        case .complete(let result): check(result, of: cdb)
        case .parameterData(let command):
            precondition(
                command.dataOutByteCount <= BlockLimits.maximumDataOutByteCount(decoder.unit.blockSize),
                "much parameter data")
            var data = input.take(min(command.dataOutByteCount, expected))
            let missing = min(command.dataOutByteCount, expected) - data.count
            if input.flag() { data += [UInt8](repeating: 0, count: missing) }
            let next = unsafe decoder.finish(command, dataOut: data.span.bytes)
            if case .parameterData = next { preconditionFailure("parameter data without end") }
            if case .deviceServer = next { preconditionFailure("parameter data without end") }
            carryOut(next, cdb, nil, expected, origin, &input)
        case .medium(let operation): check(operation, cdb, expected, origin)
        case .unmap(let operation):
            precondition(operation.ranges.count <= BlockLimits.maximumUnmapDescriptorCount, "many ranges")
            for range in operation.ranges { check(range) }
            admit(cdb, origin)
            check(operation.result(of: .good), of: cdb)
        case .check(let sectors, let result):
            if let sectors { check(sectors) }
            admit(cdb, origin)
            check(result, of: cdb)
        case .deviceServer(let byteCount):
            precondition(byteCount <= BlockLimits.maximumParameterListByteCount, "much parameter data")
            perform(cdb, Array((dataOut ?? input.take(min(byteCount, expected))).prefix(byteCount)), origin)
        }
    }

    private func check(_ range: SectorRange) {
        precondition(range.start <= UInt64.max - UInt64(range.count), "a range that wraps around")
    }

    private mutating func check(_ operation: MediumOperation, _ cdb: CDB, _ expected: Int, _ origin: CommandOrigin) {
        check(operation.sectors)
        precondition(
            operation.kind == .flush || operation.kind == .prefetch
                || operation.sectors.count <= BlockLimits.maximumTransferBlockCount, "a long transfer")
        precondition(
            operation.dataOutByteCount <= BlockLimits.maximumDataOutByteCount(decoder.unit.blockSize), "much data")
        if let transfer = operation.transfer(expectedByteCount: expected) {
            precondition(transfer.sectors.start == operation.sectors.start, "another place")
            precondition(transfer.sectors.count <= operation.sectors.count, "outside of the command's range")
            if operation.kind == .read || operation.kind == .write || operation.kind == .orWrite {
                precondition(transfer.byteCount <= expected && transfer.byteCount > 0, "more than is expected")
                precondition(transfer.byteCount <= transfer.sectors.byteCount, "more than the sectors")
            }
        }
        if operation.kind == .flush {
            server.flushes(origin.nexus)
            if writeCacheTold.contains(origin.nexus) { writeCacheReaders?.insert(origin.nexus) }
        }
        admit(cdb, origin)
        let outcomes = [
            MediumOutcome.good, .miscompare(byteOffset: 512), .mediumError(sector: operation.sectors.start),
        ]
        for outcome in outcomes {
            check(operation.result(of: outcome), of: cdb)
        }
    }

    private mutating func admit(_ cdb: CDB, _ origin: CommandOrigin) {
        guard let definition = try? CommandTable.definition(of: cdb, isSanitizeAllowed: decoder.unit.isSanitizeAllowed)
        else { return }
        sent.append((cdb, nil, origin))
        if let refusal = server.admit(definition.traits, from: origin) {
            precondition(refusal.status != .good, "refused with GOOD")
            check(refusal, of: cdb)
        } else if definition.traits.contains(.writes) {
            precondition(reservations.mayWrite(origin.nexus.rawValue), "a write past a persistent reservation")
            precondition(!decoder.unit.isReadOnly, "a write to a unit that is read-only")
        }
    }

    private mutating func perform(_ cdb: CDB, _ dataOut: [UInt8], _ origin: CommandOrigin) {
        sent.append((cdb, dataOut, origin))
        let former = server
        let action = server.perform(cdb, dataOut: dataOut, from: origin, resolve: Self.resolve)
        // A repeat answers the same and changes nothing; its model is the unit before.
        if server.state.persistentReservations != former.state.persistentReservations || isPersistent(cdb) {
            follow(cdb, dataOut, origin, action, former)
        }
        if case .complete(let result) = action, result.status == .good, Self.showsWriteCache(cdb, result.dataIn) {
            writeCacheTold.insert(origin.nexus)
        }
        switch action {
        case .complete(let result), .flush(let result), .abortTasks(_, let result): check(result, of: cdb)
        case .lbaStatus(let start, let limit, let allocationLength):
            precondition(start < server.unit.sectorCount && limit > 0, "an address outside of the medium")
            let extent = LBAStatus.Extent(sectors: SectorRange(start: start, count: 1), isMapped: true)
            check(LBAStatus.result(of: [extent], server.unit.blockSize, allocationLength: allocationLength), of: cdb)
        case .copy(let operation):
            for segment in operation.segments {
                check(segment.sectors)
                precondition(segment.sectors.end <= 1 << 33, "a copy from outside of the medium")
                precondition(segment.destinationStart <= 1 << 33, "a copy to outside of the medium")
            }
            copies.append(operation)
        case .sanitize, .inProgress: break
        }
    }

    /// Whether the answer of a MODE SENSE holds WCE of the caching page as it is.
    private static func showsWriteCache(_ cdb: CDB, _ data: [UInt8]) -> Bool {
        guard cdb.opcode == 0x1a || cdb.opcode == 0x5a, cdb.bytes[2] >> 6 == 0 else { return false }
        let isLong = cdb.opcode == 0x5a
        guard data.count >= (isLong ? 8 : 4) else { return false }
        var offset = isLong ? 8 + Int(data[6]) << 8 + Int(data[7]) : 4 + Int(data[3])
        while offset + 3 <= data.count {
            if data[offset] & 0x3f == 8 { return data[offset + 2] & 4 != 0 }
            let isLongPage = data[offset] & 0x40 != 0
            guard offset + 4 <= data.count else { return false }
            offset +=
                isLongPage ? 4 + Int(data[offset + 2]) << 8 + Int(data[offset + 3]) : 2 + Int(data[offset + 1])
        }
        return false
    }

    private func isPersistent(_ cdb: CDB) -> Bool { cdb.opcode == 0x5f }

    /// Whether what the server did to the persistent reservations is what the model does.
    private mutating func follow(
        _ cdb: CDB, _ dataOut: [UInt8], _ origin: CommandOrigin, _ action: DeviceServerAction, _ former: DeviceServer
    ) {
        var memory = former.state.answered
        guard memory.verdict(on: origin) == .new else {
            precondition(former.state.persistentReservations == server.state.persistentReservations, "a repeat changes")
            return
        }
        let result: CommandResult
        switch action {
        case .complete(let answer), .abortTasks(_, let answer): result = answer
        default: preconditionFailure("an odd answer to PERSISTENT RESERVE OUT")
        }
        let hasChanged = former.state.persistentReservations != server.state.persistentReservations
        guard hasChanged || result.status == .good || result.status == .reservationConflict, dataOut.count >= 24 else {
            precondition(!hasChanged && result.status != .good, "a short list was taken")
            return  // Refused before it was looked at: attention, sanitize, the form of the list.
        }
        func number(_ range: Range<Int>) -> UInt64 { dataOut[range].reduce(0) { $0 << 8 | UInt64($1) } }
        let bytes = cdb.bytes
        var command = ReservationModel.Command(
            serviceAction: bytes[1] & 0x1f, scope: bytes[2] >> 4, type: bytes[2] & 0x0f, key: number(0..<8),
            serviceActionKey: number(8..<16), isKept: dataOut[20] & 1 != 0)
        if command.serviceAction == 7 {
            command.isKept = dataOut[17] & 1 != 0
            command.unregisters = dataOut[17] & 2 != 0
            command.named = named(in: dataOut[24...], former)
        } else if command.serviceAction == 0, dataOut[20] & 8 != 0 {
            command.named = named(in: dataOut.dropFirst(28), former)
        }
        if result.status == .reservationConflict {
            precondition(!hasChanged, "a command that failed has changed something")
            // RESERVE of another nexus ranks before.
            if let reserving = former.state.reservingNexus, reserving != origin.nexus { return }
            var model = reservations
            precondition(model.apply(command, by: origin.nexus.rawValue) == .conflict, "a conflict instead of GOOD")
        } else {
            precondition(result.status == .good, "a command that failed has changed something")
            precondition(reservations.apply(command, by: origin.nexus.rawValue) == .good, "GOOD instead of a conflict")
        }
    }

    /// Of a list that was taken; nexuses of whole devices in no particular order.
    private func named(in list: ArraySlice<UInt8>, _ former: DeviceServer) -> [UInt64] {
        var rest = list
        var nexuses: [UInt64] = []
        while rest.count >= 4 {
            let end = rest.startIndex + 4 + Int(rest[rest.startIndex + 2]) << 8 + Int(rest[rest.startIndex + 3])
            guard end <= rest.endIndex else { break }
            let name = String(decoding: rest[(rest.startIndex + 4)..<end].prefix { $0 != 0 }, as: UTF8.self)
            if rest[rest.startIndex] & 0xc0 == 0 {
                let ports = former.state.nexuses.attached.values.filter { $0.port.hasPrefix(name + ",i,0x") }
                nexuses += ports.map(\.port).sorted().map {
                    NexusID(initiatorPort: $0, targetName: Self.targetName).rawValue
                }
            } else if let isid = name.lastIndex(of: "x") {
                let digits = name[name.index(after: isid)...].lowercased()
                let port = name[...isid] + String(repeating: "0", count: max(0, 12 - digits.count)) + digits
                nexuses.append(NexusID(initiatorPort: port, targetName: Self.targetName).rawValue)
            }
            rest = rest[end...]
        }
        return nexuses
    }

    private static func resolve(_ volume: VolumeID) -> CopyTarget? {
        switch volume {
        case VolumeID(rawValue: 0x11): CopyTarget(volume: volume, sectorCount: 1 << 21)
        case other: CopyTarget(volume: volume, sectorCount: 4096)
        default: nil
        }
    }

    // MARK: What the answers have to be

    private func check(_ result: CommandResult, of cdb: CDB) {
        precondition((result.sense != nil) == (result.status == .checkCondition), "sense and status")
        precondition(result.dataIn.isEmpty || result.status == .good, "data with an error")
        if !result.dataIn.isEmpty {
            precondition(result.dataIn.count <= CommandMaker.allocationLength(of: cdb), "beyond the allocation length")
            precondition(result.transferByteCount == result.dataIn.count, "a wrong residual")
        }
        precondition(result.transferByteCount >= 0)
        guard let sense = result.sense else { return }
        let fixed = sense.encoded()
        precondition(fixed.count == Sense.fixedByteCount && Sense(fixed: fixed)?.encoded() == fixed, "sense")
        let descriptors = sense.encoded(.descriptor)
        precondition(descriptors.count == 8 + Int(descriptors[7]), "the length of sense data")
    }

    /// What holds after each step.
    private func check() {
        let state = server.state.persistentReservations
        precondition(
            state.registrants.map { $0.nexus.rawValue } == reservations.registrants.map(\.nexus)
                && state.registrants.map { $0.key.rawValue } == reservations.registrants.map(\.key), "registrants")
        precondition(state.reservation?.kind.rawValue == reservations.type, "the type of the reservation")
        precondition(state.reservation?.holder?.rawValue == reservations.holder, "the holder of the reservation")
        precondition(state.generation == reservations.generation, "PRGENERATION")
        precondition(state.isKeptOverPowerLoss == reservations.isKept, "APTPL")
        for nexus in Self.nexuses {
            probe(nexus)
            precondition(
                server.isWriteThrough(for: nexus)
                    || server.unit.isWriteCacheEnabled && writeCacheReaders?.contains(nexus) ?? true,
                "a write is not durable whose initiator knows of no write cache")
        }
    }

    /// Asks a copy of the server, as a command that nobody sent before.
    private func probe(_ nexus: NexusID) {
        guard reservations.type != nil else { return }
        let origin = CommandOrigin(
            nexus: nexus, frontend: ServiceInstance(rawValue: 9), number: 1, lowestOpenNumber: 0)
        if !reservations.mayWrite(nexus.rawValue) {
            var server = server
            precondition(server.admit([.needsReadyUnit, .writes], from: origin) != nil, "an unregistered nexus writes")
        }
        if !reservations.mayRead(nexus.rawValue) {
            var server = server
            precondition(
                server.admit([.needsReadyUnit, .passesWriteExclusive], from: origin) != nil,
                "an unregistered nexus reads")
        }
        precondition(
            reservations.type == nil || !server.permitsCopy(writing: true), "a copy writes past a reservation")
    }
}

// MARK: Particular commands and events

extension UnitModel {
    mutating func persistentReserveOut(_ input: inout FuzzInput) {
        let choice = input.byte()
        let kinds: [UInt8] = [1, 3, 5, 6, 7, 8, 1, input.byte()]
        var bytes = [UInt8](repeating: 0, count: 16)
        bytes[0] = 0x5f
        bytes[1] = choice & 7
        bytes[2] = kinds[Int(choice >> 3 & 7)]
        bytes[8] = choice < 0xfc ? 24 : input.byte()
        var list = [UInt8](repeating: 0, count: 24)
        let keys = input.byte()
        list[7] = keys & 3
        list[15] = keys >> 2 & 3
        let names = bytes[1] == 7 || keys & 0xe0 == 0xe0
        if names {
            let identifiers = transportIDs(&input)
            let count = (0..<4).map { UInt8(truncatingIfNeeded: identifiers.count >> (24 - 8 * $0)) }
            if bytes[1] == 7 {
                list[17] = keys >> 4 & 3
                list[19] = keys & 0xc0 == 0xc0 ? input.byte() : 1
                list.replaceSubrange(20..<24, with: count)
            } else {
                list[20] = 0x0c | keys >> 4 & 1
                list += count
            }
            list += identifiers
            bytes[7] = UInt8(truncatingIfNeeded: list.count >> 8)
            bytes[8] = UInt8(truncatingIfNeeded: list.count)
        } else {
            list[20] = keys >> 4 & 1
        }
        command(CommandMaker.cdb(bytes), &input, dataOut: list)
    }

    /// Mostly well-formed ones of initiators that there are.
    private func transportIDs(_ input: inout FuzzInput) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<1 + input.choice(3) {
            let form = input.byte()
            var name = Array(Self.ports[Int(form & 3)].utf8)
            if form & 0x0c == 0x0c { name = Array(name.prefix { $0 != UInt8(ascii: ",") }) }
            if form & 0xf0 == 0xf0 { name = input.take(input.choice(40)) }
            name += [UInt8](repeating: 0, count: max(20 - name.count, 4 - name.count % 4))
            bytes += [form & 0x0c == 0x0c ? 0x05 : 0x45, 0, 0, UInt8(name.count)] + name
        }
        if input.byte() > 0xf0, !bytes.isEmpty { bytes[input.choice(bytes.count)] = input.byte() }
        return bytes
    }

    mutating func attach(_ input: inout FuzzInput) {
        let origin = origin(&input)
        server.attach(
            initiatorPort: Self.ports[Self.nexuses.firstIndex(of: origin.nexus) ?? 0], access: "user a", from: origin)
        check()
    }

    mutating func lose(_ input: inout FuzzInput) {
        if input.byte() < 0xc0 {
            server.lose(from: origin(&input))
        } else {
            server.lose(allThrough: input.pick(Self.frontends))
        }
        check()
    }

    mutating func reset(_ input: inout FuzzInput) {
        let kind = input.pick([DeviceServer.ResetKind.logicalUnit, .targetWarm, .targetCold])
        server.reset(kind, from: origin(&input))
        check()
    }

    /// The owner's process ends and begins again, with what it saved; under another name the machine did, too.
    mutating func restart(powerOn: String) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        guard let bytes = try? encoder.encode(server.state),
            let state = try? JSONDecoder().decode(UnitState.self, from: bytes)
        else { preconditionFailure("the state does not decode") }
        // Of the answers the record leaves out what is counted anew when they are given again.
        precondition(state.nexuses == server.state.nexuses, "nexuses do not decode to themselves")
        precondition(
            state.persistentReservations == server.state.persistentReservations
                && state.reservingNexus == server.state.reservingNexus, "reservations do not decode to themselves")
        precondition(
            state.isSoftwareWriteProtected == server.state.isSoftwareWriteProtected
                && state.isSanitizing == server.state.isSanitizing, "the state does not decode to itself")
        precondition((try? encoder.encode(state)) == bytes, "the state is not stable")
        if powerOn != self.powerOn { reservations.powerOn() }
        self.powerOn = powerOn
        server = DeviceServer(unit: server.unit, state: state, powerOn: powerOn)
        copies = []
        check()
    }

    mutating func change(_ input: inout FuzzInput) {
        var unit = server.unit
        switch input.choice(5) {
        case 0: unit.isReadOnly.toggle()
        case 1: unit.sectorCount = 1 + UInt64(input.integer(UInt32.self))
        case 2: unit.readiness = input.pick([.ready, .becomingReady, .manualInterventionRequired])
        case 3: unit.isWriteCacheEnabled.toggle()
        default:
            server.clearReservations()
            reservations.clear()
        }
        if !unit.isWriteCacheEnabled { (writeCacheTold, writeCacheReaders) = ([], []) }
        server.update(unit)
        decoder.unit = unit
        check()
    }

    mutating func modeSelect(_ input: inout FuzzInput) {
        // The control mode page as MODE SENSE gives it, with some of its bytes changed.
        let header: [UInt8] = [0, 0, 0, 0]
        var page: [UInt8] = [0x0a, 10, 2, 0x10, 0, 0, 0, 0, 0, 0, 0, 0]
        if input.flag() { page[4] |= 0x08 }
        if input.byte() > 0xf0 { page[input.choice(12)] = input.byte() }
        let list = header + page + input.take(input.choice(3))
        var bytes = [UInt8](repeating: 0, count: 16)
        bytes[0] = 0x15
        bytes[1] = 0x10
        bytes[4] = UInt8(list.count)
        command(CommandMaker.cdb(bytes), &input, dataOut: list)
    }

    mutating func copy(_ input: inout FuzzInput) {
        let list = CopyListMaker.list(&input, volumes: [server.unit.volume, Self.other], of: server.unit)
        var bytes = [UInt8](repeating: 0, count: 16)
        bytes[0] = 0x83
        bytes[12] = UInt8(truncatingIfNeeded: list.count >> 8)
        bytes[13] = UInt8(truncatingIfNeeded: list.count)
        command(CommandMaker.cdb(bytes), &input, dataOut: list)
    }

    mutating func finishSomething(_ input: inout FuzzInput) {
        switch input.choice(3) {
        case 0: server.finishSanitize()
        case 1:
            guard !copies.isEmpty else { return }
            let operation = copies.removeFirst()
            let isGood = input.flag()
            let count = isGood ? operation.segments.count : 0
            let result = server.finishCopy(operation, completedSegmentCount: count, isGood: isGood)
            precondition((result.sense != nil) == (result.status == .checkCondition), "sense and status")
        default: server.post(UnitAttention(rawValue: input.integer()))
        }
        check()
    }
}
