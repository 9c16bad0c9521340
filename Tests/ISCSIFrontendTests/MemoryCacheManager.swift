// SPDX-License-Identifier: Apache-2.0
import Bus
import Logging
import Messages
import Platform
import SCSI
import Synchronization
import TestSupport
import Wire

/// What survives a death of `MemoryCacheManager`: the volume's bytes, its unit's state and what was executed. One
/// incarnation uses it at a time, and a test looks at it only while none runs or through the lock: the proof for
/// `@unchecked Sendable`.
final class MemoryVolume: @unchecked Sendable {
    struct Key: Hashable {
        var frontend: ServiceInstance
        var number: UInt64
    }
    struct Counts {
        var executed = 0
        var repeated = 0
        var barriers = 0
        /// The ports of sessions that began.
        var initiatorPorts: [String] = []
        var losses = 0
        /// How often each request arrived, by number.
        var arrivals: [UInt64: Int] = [:]
    }
    let id = VolumeID(rawValue: 0x5eed)
    let name = "iqn.2026-11.io.sluice:memory"
    let bytes: IOBuffer
    let counts = Mutex(Counts())
    fileprivate var answers: [Key: (IOReply, [UInt8]?)] = [:]
    private var server: DeviceServer
    private var coldResetCount: UInt64 = 0

    init(byteCount: Int = 8 << 20, blockSize: LogicalBlockSize = .sector, isRemovable: Bool = false) {
        bytes = IOBuffer(byteCount: byteCount)
        bytes.zero()
        server = DeviceServer(
            unit: LogicalUnit(
                volume: id, sectorCount: UInt64(byteCount / 512), blockSize: blockSize, targetName: name,
                isRemovable: isRemovable),
            state: nil, powerOn: "test")
    }

    var description: VolumeDescription {
        VolumeDescription(
            id: id, name: "memory", targetName: name, byteCount: UInt64(bytes.byteCount), status: .available,
            statusReason: "", durability: .onFlush, compression: .none, commitIntervalSeconds: 10,
            sourceSnapshot: nil, createdMilliseconds: 0, generation: 1, commitNumber: 1, recoveryPointMilliseconds: 0,
            dirtyByteCount: 0, oldestDirtySeconds: 0, uploadBufferUsedByteCount: 0, uploadBufferByteCount: 0,
            access: VolumeAccess(coldResetCount: coldResetCount), blockSize: server.unit.blockSize,
            isRemovable: server.unit.isRemovable)
    }

    fileprivate func execute(_ request: IORequest, payload: [UInt8]) -> (IOReply, [UInt8]?) {
        let key = Key(frontend: request.frontend, number: request.number)
        if let answer = answers[key] {
            counts.withLock { $0.repeated += 1 }
            return answer
        }
        counts.withLock { counts in
            counts.executed += 1
            if request.operation == .nexusBarrier { counts.barriers += 1 }
        }
        let answer = unit(request, payload) ?? medium(request, payload)
        answers[key] = answer
        return answer
    }

    /// What the unit answers, or refuses; nil: the medium's.
    fileprivate func unit(_ request: IORequest, _ payload: [UInt8]) -> (IOReply, [UInt8]?)? {
        let origin = CommandOrigin(
            nexus: NexusID(rawValue: request.nexus), frontend: request.frontend, number: request.number,
            lowestOpenNumber: request.lowestOpenNumber)
        let good = CommandResult.good
        let result: CommandResult
        switch request.operation {
        case .nexusBarrier:
            let lines = String(decoding: payload, as: UTF8.self).split(separator: "\n").map(String.init)
            if let port = lines.first {
                _ = server.attach(initiatorPort: port, access: lines.last ?? "", from: origin)
                counts.withLock { $0.initiatorPorts.append(port) }
            }
            result = good
        case .nexusLoss:
            server.lose(from: origin)
            counts.withLock { $0.losses += 1 }
            result = good
        case .taskManagement:
            server.reset(.logicalUnit, from: origin)
            if payload == [7] { coldResetCount += 1 }
            result = good
        case .check:
            let traits =
                unsafe (try? CommandTable.definition(of: CDB(bytes: payload.span.bytes), isSanitizeAllowed: false))?
                .traits ?? []
            let isInside = server.unit.contains(request.sectors)
            result =
                server.admit(traits, from: origin) ?? (isInside ? good : CommandResult(.logicalBlockAddressOutOfRange))
        case .deviceServerCommand:
            let cdb = unsafe CDB(bytes: payload.span.bytes)
            switch server.perform(cdb, dataOut: Array(payload[CDB.byteCount...]), from: origin) {
            case .complete(let answer), .flush(let answer), .abortTasks(_, let answer): result = answer
            default: result = .busy
            }
        case .read, .compare, .prefetch:
            guard let refusal = server.admit([.needsReadyUnit, .passesWriteExclusive], from: origin) else { return nil }
            result = refusal
        default:
            guard let refusal = server.admit([.needsReadyUnit, .writes], from: origin) else { return nil }
            result = refusal
        }
        var reply = IOReply(frontend: request.frontend, number: request.number, status: .good)
        let data: [UInt8]
        switch result.status {
        case .good, .conditionMet: data = result.dataIn
        case .checkCondition: (reply.status, data) = (.checkCondition, result.sense?.encoded() ?? [])
        case .reservationConflict: (reply.status, data) = (.reservationConflict, [])
        case .taskAborted: (reply.status, data) = (.aborted, [])
        case .busy, .taskSetFull: (reply.status, data) = (.busy, [])
        }
        reply.payloadByteCount = UInt32(data.count)
        return (reply, data.isEmpty ? nil : data)
    }

    private func medium(_ request: IORequest, _ payload: [UInt8]) -> (IOReply, [UInt8]?) {
        var reply = IOReply(frontend: request.frontend, number: request.number, status: .good)
        guard server.unit.contains(request.sectors) || request.operation == .unmap else {
            reply.status = .outOfRange
            return (reply, nil)
        }
        let start = Int(request.sectors.start) * 512
        let range = start..<start + request.sectors.byteCount
        var data: [UInt8]?
        switch request.operation {
        case .read: data = unsafe [UInt8](bytes.bytes(range))
        case .write: unsafe bytes.bytes(range).copyBytes(from: payload)
        case .writeSame:
            for place in stride(from: range.lowerBound, to: range.upperBound, by: payload.count) {
                unsafe bytes.bytes(place..<place + payload.count).copyBytes(from: payload)
            }
        case .unmap:
            for place in stride(from: 0, to: payload.count, by: 16) {
                let word = payload[place..<place + 8].reversed().reduce(0) { $0 << 8 | Int($1) }
                let count = payload[place + 8..<place + 12].reversed().reduce(0) { $0 << 8 | Int($1) }
                bytes.zero(word * 512..<(word + count) * 512)
            }
        case .compareAndWrite:
            let half = request.sectors.byteCount
            let found = unsafe [UInt8](bytes.bytes(range))
            if let offset = (0..<half).first(where: { found[$0] != payload[$0] }) {
                reply.status = .miscompare
                reply.information = UInt64(offset)
            } else {
                unsafe bytes.bytes(range).copyBytes(from: payload[half...])
            }
        case .compare:
            // One block is compared with all.
            let found = unsafe [UInt8](bytes.bytes(range))
            for place in stride(from: 0, to: found.count, by: payload.count)
            where found[place..<place + payload.count] != payload[...] {
                reply.status = .miscompare
                let offset = payload.indices.first { found[place + $0] != payload[$0] } ?? 0
                reply.information = UInt64(place + offset)
                break
            }
        case .orWrite:
            let bits = IOBuffer(payload)
            for place in stride(from: 0, to: payload.count, by: 8) {
                let target = range.lowerBound + place
                bytes.store(bytes.load(UInt64.self, at: target) | bits.load(UInt64.self, at: place), at: target)
            }
        default: break
        }
        reply.payloadByteCount = UInt32(data?.count ?? 0)
        return (reply, data)
    }
}

/// A cache manager with one volume in memory, on a thread of its own; it can die and come back.
final class MemoryCacheManager: Sendable {
    /// How it misbehaves; chosen for one incarnation.
    struct Manner: Sendable {
        /// Executes, but every n-th answer is lost; 0: none.
        var losesEveryNthAnswer = 0
        /// As one whose buffer is full: commands wait in it for ever, and a barrier sweeps them away.
        var holdsCommands = false
        /// Refuses this many hellos because it is not ready.
        var notReadyHellos = 0
        var revokes = false
    }

    private let loop: EventLoop
    private let thread: IOThread

    init(_ volume: MemoryVolume, at endpoint: Endpoint, _ manner: Manner = Manner()) throws {
        let loop = try EventLoop()
        self.loop = loop
        thread = try IOThread(name: "memory-cache") {
            do {
                let server = try Incarnation(volume, endpoint, manner, loop)
                try withExtendedLifetime(server) { try loop.run() }
                server.socket.close()
            } catch {
                preconditionFailure("\(error)")
            }
        }
    }

    /// Closes its socket without answering anything more.
    func die() {
        loop.stop()
        thread.join()
    }

    private final class Incarnation {
        let socket: MessageSocket
        private let volume: MemoryVolume
        private let responder: HelloResponder
        private let message = IncomingMessage()
        private var manner: Manner
        private var answerCount = 0

        init(_ volume: MemoryVolume, _ endpoint: Endpoint, _ manner: Manner, _ loop: EventLoop) throws {
            self.volume = volume
            self.manner = manner
            let identity = BusIdentity(
                service: .cache, instance: ServiceInstance(rawValue: Randomness.nonzeroUInt64()),
                softwareVersion: "test")
            responder = HelloResponder(identity: identity) { [id = volume.id] in HelloDetails(volumes: [id]) }
            socket = try MessageSocket(
                .server, context: try BusContext(), instance: identity.instance, logger: Logger(label: "memory-cache"))
            try socket.bind(endpoint)
            try socket.attach(to: loop) { [unowned self] in
                socket.drain(into: message) { receive($0) }
            }
        }

        private func receive(_ message: IncomingMessage) {
            guard let peer = message.peer else { return }
            if message.envelope.kind == .hello, manner.revokes || manner.notReadyHellos > 0 {
                let code = manner.revokes ? BusFault.Code.revoked : .notReady
                manner.notReadyHellos -= manner.revokes ? 0 : 1
                manner.revokes = false
                socket.send(BusFault(code, "test"), requestID: message.envelope.requestID, to: peer)
                return
            }
            guard responder.admit(message, on: socket) != nil else { return }
            let requestID = message.envelope.requestID
            switch message.envelope.kind {
            case .volumeList:
                let reply = VolumeListRequest.Reply(volumes: [volume.description])
                guard let body = try? MessageCoder.encode(reply) else { return }
                _ = socket.send(.init(.volumeList, requestID: requestID, isReply: true), body: body, to: peer)
            case .io: receiveIO(message, from: peer)
            default: break
            }
        }

        private func receiveIO(_ message: IncomingMessage, from peer: PeerIdentity) {
            let body = message.bodyArray
            var data = message.payload.flatMap(\.array)[...]
            for place in stride(from: 0, to: body.count, by: IORequest.byteCount) {
                let slot = Array(body[place..<place + IORequest.byteCount])
                guard let request = unsafe try? IORequest(decoding: slot.span.bytes) else {
                    preconditionFailure("a malformed request")
                }
                let payload = Array(data.prefix(Int(request.payloadByteCount)))
                precondition(payload.count == Int(request.payloadByteCount))
                data.removeFirst(payload.count)
                volume.counts.withLock { $0.arrivals[request.number, default: 0] += 1 }
                let isOfTheMedium = request.operation.rawValue < IORequest.Operation.nexusBarrier.rawValue
                if manner.holdsCommands, isOfTheMedium {
                    if let (refusal, sense) = volume.unit(request, payload) { answer(refusal, sense, to: peer) }
                    continue
                }
                let (reply, data) = volume.execute(request, payload: payload)
                answerCount += 1
                if manner.losesEveryNthAnswer > 0, answerCount % manner.losesEveryNthAnswer == 0 { continue }
                answer(reply, data, to: peer)
            }
        }

        private func answer(_ reply: IOReply, _ data: [UInt8]?, to peer: PeerIdentity) {
            var body = [UInt8](repeating: 0, count: IOReply.byteCount)
            unsafe body.withUnsafeMutableBytes { bytes in
                var slot = unsafe MutableRawSpan(_unsafeBytes: bytes)
                reply.encode(into: &slot)
            }
            let payload = data.map { [Frame($0)] } ?? []
            _ = socket.send(.init(.io, requestID: 0, isReply: true), body: body, payload: payload, to: peer)
        }
    }
}
