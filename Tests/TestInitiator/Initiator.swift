// SPDX-License-Identifier: Apache-2.0
import ISCSI
import SCSI
import Wire

package enum InitiatorError: Error, Equatable, Sendable {
    /// Nobody answers, or the connection broke: what was under way may or may not have happened.
    case connectionLost(String)
    case loginRefused(status: UInt16)
    case protocolError(String)
}

/// How one SCSI command ended.
package struct CommandOutcome: Equatable, Sendable {
    package var status: UInt8
    package var sense: [UInt8]
    package var data: [UInt8]
    package var isGood: Bool { status == 0 }
    package var isBusy: Bool { status == 0x08 || status == 0x28 }
    /// Key, ASC and ASCQ of fixed-format sense.
    package var senseCode: (key: UInt8, asc: UInt8, ascq: UInt8)? {
        sense.count >= 14 ? (sense[2] & 0x0f, sense[12], sense[13]) : nil
    }
}

/// One SCSI command as an initiator sends it.
package struct InitiatorCommand: Sendable {
    package var cdb: [UInt8]
    package var dataOut: [UInt8]
    package var dataInByteCount: Int
    package init(cdb: [UInt8], dataOut: [UInt8] = [], dataInByteCount: Int = 0) {
        self.cdb = cdb
        self.dataOut = dataOut
        self.dataInByteCount = dataInByteCount
    }

    private static func transfer(_ opcode: UInt8, _ lba: UInt64, _ count: UInt32, flags: UInt8 = 0) -> [UInt8] {
        [opcode, flags] + (0..<8).map { UInt8(truncatingIfNeeded: lba >> UInt64(56 - 8 * $0)) }
            + (0..<4).map { UInt8(truncatingIfNeeded: count >> UInt32(24 - 8 * $0)) } + [0, 0]
    }
    package static func read(lba: UInt64, sectors: UInt32) -> Self {
        Self(cdb: transfer(0x88, lba, sectors), dataInByteCount: Int(sectors) * 512)
    }
    package static func write(lba: UInt64, _ data: [UInt8], forceUnitAccess: Bool = false) -> Self {
        Self(cdb: transfer(0x8a, lba, UInt32(data.count / 512), flags: forceUnitAccess ? 0x08 : 0), dataOut: data)
    }
    package static func unmap(lba: UInt64, sectors: UInt32) -> Self {
        let descriptor = transfer(0, lba, sectors)[2..<14] + [0, 0, 0, 0]
        return Self(cdb: [0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0], dataOut: [0, 22, 0, 16, 0, 0, 0, 0] + descriptor)
    }
    /// One sector.
    package static func compareAndWrite(lba: UInt64, expected: [UInt8], new: [UInt8]) -> Self {
        var cdb = transfer(0x89, lba, 0)
        cdb[13] = 1
        return Self(cdb: cdb, dataOut: expected + new)
    }
    package static let flush = Self(cdb: transfer(0x91, 0, 0))
    package static let testUnitReady = Self(cdb: [0, 0, 0, 0, 0, 0])
}

/// A small iSCSI initiator for tests: blocking, one session with one connection, any number of commands at once. It
/// retries nothing, so that a test decides what an unknown outcome means.
package final class Initiator {
    package let name: String
    private let host: String
    private let port: UInt16
    private let isid: UInt64
    private let timeoutSeconds: Int
    private var connection: InitiatorConnection?
    private var cmdSN: UInt32 = 1
    private var expStatSN: UInt32 = 0
    private var nextTag: UInt32 = 1

    package init(host: String, port: UInt16, name: String, isid: UInt64, timeoutSeconds: Int = 30) {
        self.host = host
        self.port = port
        self.name = name
        self.isid = isid
        self.timeoutSeconds = timeoutSeconds
    }

    package var isConnected: Bool { connection != nil }

    /// Closes the connection without a word, as a dying machine does.
    package func drop() { connection = nil }

    // MARK: Login

    /// Logs in to a target (or to discovery if nil) and clears the unit attention of a new nexus.
    package func login(target: String?) throws(InitiatorError) {
        connection = nil
        let connection = try InitiatorConnection(host: host, port: port, timeoutSeconds: timeoutSeconds)
        var pairs = [
            TextPair("InitiatorName", name), TextPair("SessionType", target == nil ? "Discovery" : "Normal"),
        ]
        if let target { pairs.append(TextPair("TargetName", target)) }
        pairs += [
            ("HeaderDigest", "None"), ("DataDigest", "None"), ("InitialR2T", "No"), ("ImmediateData", "Yes"),
            ("MaxRecvDataSegmentLength", "262144"), ("FirstBurstLength", "65536"), ("MaxBurstLength", "262144"),
            ("MaxConnections", "1"), ("ErrorRecoveryLevel", "0"), ("MaxOutstandingR2T", "1"),
        ].map { TextPair($0.0, $0.1) }
        var request = LoginRequest()
        request.isImmediate = true
        request.flags = LoginFlags(transit: true, current: .operational, next: .fullFeature)
        request.isid = InitiatorSessionID(rawValue: isid)
        request.cmdSN = SerialNumber(cmdSN)
        for _ in 0..<8 {
            var writer = PDUWriter()
            writer.append(request, data: TextKeys.encode(pairs))
            try connection.send(writer.bytes)
            let (header, _) = try connection.receive()
            guard let response = LoginResponse(decoding: header) else { throw .protocolError("no login response") }
            expStatSN = response.sequence.statSN.rawValue &+ 1
            guard response.status == 0 else { throw .loginRefused(status: response.status) }
            if response.flags.isTransit {
                self.connection = connection
                if target != nil { _ = try execute([.testUnitReady]) }
                return
            }
            pairs = []
        }
        throw .protocolError("the login does not end")
    }

    package func logout() throws(InitiatorError) {
        guard let connection else { return }
        var request = LogoutRequest()
        request.initiatorTaskTag = tag()
        request.cmdSN = SerialNumber(cmdSN)
        request.expStatSN = SerialNumber(expStatSN)
        var writer = PDUWriter()
        writer.append(request)
        try connection.send(writer.bytes)
        _ = try connection.receive()
        self.connection = nil
    }

    // MARK: Commands

    /// Sends all commands at once and waits for all outcomes, in the commands' order. When the connection breaks, the
    /// outcomes known by then are passed to `onLoss` (nil: unknown).
    package func execute(
        _ commands: [InitiatorCommand], onLoss: ([CommandOutcome?]) -> Void = { _ in }
    ) throws(InitiatorError) -> [CommandOutcome] {
        var outcomes = [CommandOutcome?](repeating: nil, count: commands.count)
        do {
            try run(commands, &outcomes)
        } catch {
            connection = nil
            onLoss(outcomes)
            throw error
        }
        return outcomes.compactMap { $0 }
    }

    private func run(
        _ commands: [InitiatorCommand], _ outcomes: inout [CommandOutcome?]
    ) throws(InitiatorError) {
        guard let connection else { throw .connectionLost("not logged in") }
        var indexes: [UInt32: Int] = [:]
        var received = commands.map { [UInt8](repeating: 0, count: $0.dataInByteCount) }
        var writer = PDUWriter()
        for (index, command) in commands.enumerated() {
            let tag = tag()
            indexes[tag] = index
            append(command, tag: tag, to: &writer)
        }
        try connection.send(writer.bytes)
        var left = commands.count
        while left > 0 {
            let (header, data) = try connection.receive()
            switch header[0] & 0x3f {
            case SCSIDataIn.opcode:
                guard let pdu = SCSIDataIn(decoding: header), let index = indexes[pdu.initiatorTaskTag] else {
                    throw .protocolError("unknown task tag")
                }
                let start = Int(pdu.bufferOffset)
                guard start + data.count <= received[index].count else { throw .protocolError("too much data") }
                received[index].replaceSubrange(start..<start + data.count, with: data)
                if pdu.flags & 1 != 0 {
                    expStatSN = pdu.sequence.statSN.rawValue &+ 1
                    outcomes[index] = CommandOutcome(status: pdu.status, sense: [], data: received[index])
                    left -= 1
                }
            case ISCSI.SCSIResponse.opcode:
                guard let pdu = ISCSI.SCSIResponse(decoding: header), let index = indexes[pdu.initiatorTaskTag] else {
                    throw .protocolError("unknown task tag")
                }
                expStatSN = pdu.sequence.statSN.rawValue &+ 1
                let sense = data.count > 2 ? Array(data[2...]) : []
                outcomes[index] = CommandOutcome(status: pdu.status, sense: sense, data: received[index])
                left -= 1
            case ReadyToTransfer.opcode:
                guard let pdu = ReadyToTransfer(decoding: header), let index = indexes[pdu.initiatorTaskTag] else {
                    throw .protocolError("unknown task tag")
                }
                try send(commands[index].dataOut, for: pdu, on: connection)
            case NOPIn.opcode:
                if let ping = NOPIn(decoding: header) { try answer(ping, on: connection) }
            case AsyncMessage.opcode: throw .connectionLost("the target asked for a logout")
            default: throw .protocolError("opcode \(header[0] & 0x3f)")
            }
        }
    }

    private func append(_ command: InitiatorCommand, tag: UInt32, to writer: inout PDUWriter) {
        var pdu = SCSICommand()
        pdu.isRead = command.dataInByteCount > 0
        pdu.isWrite = !command.dataOut.isEmpty
        pdu.initiatorTaskTag = tag
        pdu.expectedDataTransferLength = UInt32(max(command.dataInByteCount, command.dataOut.count))
        pdu.cmdSN = SerialNumber(cmdSN)
        cmdSN &+= 1
        pdu.expStatSN = SerialNumber(expStatSN)
        let padded = command.cdb + [UInt8](repeating: 0, count: 16 - command.cdb.count)
        pdu.cdb = CDB(rawValue: padded.reduce(UInt128(0)) { $0 << 8 | UInt128($1) })
        writer.append(pdu, data: Array(command.dataOut.prefix(65536)))
    }

    private func send(_ data: [UInt8], for request: ReadyToTransfer, on connection: InitiatorConnection)
        throws(InitiatorError)
    {
        var writer = PDUWriter()
        let end = Int(request.bufferOffset + request.desiredDataTransferLength)
        guard end <= data.count else { throw .protocolError("R2T beyond the data") }
        var offset = Int(request.bufferOffset)
        var dataSN: UInt32 = 0
        while offset < end {
            let count = min(65536, end - offset)
            var pdu = SCSIDataOut()
            pdu.isFinal = offset + count == end
            pdu.initiatorTaskTag = request.initiatorTaskTag
            pdu.targetTransferTag = request.targetTransferTag
            pdu.expStatSN = SerialNumber(expStatSN)
            pdu.dataSN = dataSN
            pdu.bufferOffset = UInt32(offset)
            writer.append(pdu, data: Array(data[offset..<offset + count]))
            offset += count
            dataSN += 1
        }
        try connection.send(writer.bytes)
    }

    private func answer(_ ping: NOPIn, on connection: InitiatorConnection) throws(InitiatorError) {
        guard ping.targetTransferTag != TaskTag.reserved else { return }
        var pdu = NOPOut()
        pdu.isImmediate = true
        pdu.initiatorTaskTag = TaskTag.reserved
        pdu.targetTransferTag = ping.targetTransferTag
        pdu.cmdSN = SerialNumber(cmdSN)
        pdu.expStatSN = SerialNumber(expStatSN)
        var writer = PDUWriter()
        writer.append(pdu)
        try connection.send(writer.bytes)
    }

    private func tag() -> UInt32 {
        defer { nextTag = nextTag &+ 1 == TaskTag.reserved ? 1 : nextTag &+ 1 }
        return nextTag
    }
}
