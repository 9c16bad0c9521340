// SPDX-License-Identifier: Apache-2.0
import FuzzInitiator
import FuzzSupport
import ISCSI
import SCSI
import Wire

/// Makes PDUs that fit what the target has said so far, as far as the input lets it.
final class InitiatorModel {
    private var text = FuzzText()
    private var cmdSN = SerialNumber(1)
    private var statSN = SerialNumber(0)
    private var lastTransferTag = TaskTag.reserved
    /// R2Ts that are not served.
    private var requests: [(pdu: ReadyToTransfer, sent: UInt32, dataSN: UInt32)] = []
    /// In the login that goes on; they begin with its end.
    private var agreed = DigestSettings()
    private var digests = DigestSettings()
    private var isLoggedIn = false

    /// Looks at an answer of the target.
    func read(_ answer: (header: HeaderBytes, data: [UInt8])) {
        if let response = LoginResponse(decoding: answer.header) {
            text.read(answer.data)
            if response.flags.isTransit, response.flags.next == .fullFeature { isLoggedIn = true }
            for pair in (try? TextKeys.parse(answer.data)) ?? [] {
                if pair.key == "HeaderDigest" { agreed.header = pair.value == "CRC32C" }
                if pair.key == "DataDigest" { agreed.data = pair.value == "CRC32C" }
            }
            if isLoggedIn { digests = agreed }
        }
        if let request = ReadyToTransfer(decoding: answer.header) { requests.append((request, 0, 0)) }
        if let response = TextResponse(decoding: answer.header) { lastTransferTag = response.targetTransferTag }
        if let ping = NOPIn(decoding: answer.header), ping.targetTransferTag != TaskTag.reserved {
            lastTransferTag = ping.targetTransferTag
        }
    }

    private func bytes(
        _ header: HeaderBytes, additional: [UInt8] = [], data: [UInt8], _ input: inout FuzzInput
    ) -> [UInt8] {
        var stream = (0..<48).map { header[$0] } + additional
        if digests.header { Digest.append(CRC32C.checksum(stream), to: &stream) }
        guard !data.isEmpty else { return stream }
        var padded = data
        while padded.count % 4 != 0 { padded.append(0) }
        stream += padded
        if digests.data {
            let damage: UInt32 = input.byte() == 0xff ? 1 : 0
            Digest.append(CRC32C.checksum(padded) ^ damage, to: &stream)
        }
        return stream
    }

    private func bytes(_ pdu: some FixedPDU, data: [UInt8] = [], _ input: inout FuzzInput) -> [UInt8] {
        bytes(pdu.encoded(dataSegmentByteCount: data.count), data: data, &input)
    }

    private func takeCmdSN(isImmediate: Bool, _ input: inout FuzzInput) -> SerialNumber {
        let offset = input.byte()
        guard offset < 0xf0 else { return cmdSN.advanced(by: Int(offset) - 0xf8) }
        defer { if !isImmediate { cmdSN = cmdSN.advanced(by: 1) } }
        return cmdSN
    }

    private func tag(_ input: inout FuzzInput) -> UInt32 {
        let choice = input.choice(16)
        return choice == 15 ? TaskTag.reserved : UInt32(choice)
    }

    private func unit(_ input: inout FuzzInput) -> LogicalUnitNumber {
        input.byte() < 0xf0 ? .zero : LogicalUnitNumber(rawValue: input.integer())
    }

    // MARK: Login

    /// All of a login that an honest initiator needs, in one request per stage.
    func login(_ input: inout FuzzInput) -> [UInt8] {
        var pairs = [
            TextPair("InitiatorName", FuzzLoginEnvironment.initiatorName), TextPair("HeaderDigest", "None,CRC32C"),
            TextPair("DataDigest", "None,CRC32C"), TextPair("InitialR2T", input.flag() ? "Yes" : "No"),
            TextPair("ImmediateData", input.flag() ? "Yes" : "No"),
            TextPair("MaxRecvDataSegmentLength", String(512 + input.choice(256))),
            TextPair("MaxBurstLength", String(512 + 16 * input.choice(256))),
            TextPair("FirstBurstLength", String(512 + input.choice(256))),
            TextPair("MaxOutstandingR2T", String(1 + input.choice(4))),
        ]
        if input.byte() < 0xe0 {
            pairs.append(TextPair("TargetName", FuzzLoginEnvironment.targetName))
        } else {
            pairs.append(TextPair("SessionType", "Discovery"))
        }
        if input.flag() { pairs[1].value = "CRC32C" }
        if input.flag() { pairs[2].value = "CRC32C" }
        var request = LoginRequest()
        request.isImmediate = true
        request.flags = LoginFlags(transit: true, current: .operational, next: .fullFeature)
        request.cmdSN = cmdSN
        return bytes(request, data: TextKeys.encode(pairs), &input)
    }

    func loginRequest(_ input: inout FuzzInput) -> [UInt8] {
        var request = LoginRequest()
        request.isImmediate = true
        request.flags = LoginFlags(rawValue: input.pick([0x00, 0x81, 0x83, 0x87, 0x04, 0x40, 0x44, input.byte()]))
        request.tsih = UInt16(input.choice(2))
        request.cmdSN = cmdSN
        return bytes(request, data: text.next(&input), &input)
    }

    // MARK: Full feature phase

    func command(_ input: inout FuzzInput) -> [UInt8] {
        var command = SCSICommand()
        let flags = input.byte()
        command.isImmediate = flags & 0x0f == 0x0f
        command.isFinal = flags & 0x10 != 0
        command.isRead = flags & 0x60 == 0x20 || flags & 0xe0 == 0xe0
        command.isWrite = flags & 0x40 != 0
        command.logicalUnit = unit(&input)
        command.initiatorTaskTag = tag(&input)
        command.expectedDataTransferLength = input.flag() ? UInt32(input.integer(UInt16.self) & 0x1fff) : input.edgy()
        command.cmdSN = takeCmdSN(isImmediate: command.isImmediate, &input)
        var additional: [UInt8] = []
        if input.byte() > 0xf0 {
            additional = input.flag() ? [0, 5, 2, 0, 0, 0, 0, 0] : input.take(input.choice(64))
            while additional.count % 4 != 0 { additional.append(0) }
        }
        let data = flags & 0x80 == 0 ? [] : [UInt8](repeating: flags, count: Int(input.integer(UInt16.self) & 0x3ff))
        let header = command.encoded(
            dataSegmentByteCount: data.count, additionalHeaderByteCount: additional.count)
        return bytes(header, additional: additional, data: data, &input)
    }

    /// Serves the oldest R2T, or sends what nobody asked for.
    func dataOut(_ input: inout FuzzInput) -> [UInt8] {
        var pdu = SCSIDataOut()
        var byteCount = UInt32(input.integer(UInt16.self) & 0x3ff)
        if !requests.isEmpty, input.byte() < 0xe0 {
            let request = requests[0]
            let rest = request.pdu.desiredDataTransferLength - request.sent
            byteCount = min(byteCount, rest)
            pdu.initiatorTaskTag = request.pdu.initiatorTaskTag
            pdu.targetTransferTag = request.pdu.targetTransferTag
            pdu.bufferOffset = request.pdu.bufferOffset + request.sent
            pdu.dataSN = request.dataSN
            pdu.isFinal = byteCount == rest
            requests[0].sent += byteCount
            requests[0].dataSN += 1
            if pdu.isFinal { requests.removeFirst() }
        } else {
            pdu.initiatorTaskTag = tag(&input)
            pdu.dataSN = UInt32(input.choice(4))
            pdu.bufferOffset = input.flag() ? UInt32(input.integer(UInt16.self) & 0x3ff) : input.edgy()
            pdu.isFinal = input.flag()
            pdu.logicalUnit = unit(&input)
        }
        let damage = input.byte()
        if damage & 0xf0 == 0xf0 {
            pdu.dataSN &+= UInt32(damage & 1)
            pdu.bufferOffset &+= UInt32(damage & 2)
            pdu.targetTransferTag &+= UInt32(damage >> 2 & 1)
            if damage & 8 != 0 { pdu.isFinal.toggle() }
        }
        return bytes(pdu, data: [UInt8](repeating: damage, count: Int(byteCount)), &input)
    }

    func taskManagement(_ input: inout FuzzInput) -> [UInt8] {
        var request = TaskManagementRequest()
        request.isImmediate = input.flag()
        request.function = input.choice(12) == 11 ? input.byte() & 0x7f : UInt8(input.choice(9))
        request.logicalUnit = unit(&input)
        request.initiatorTaskTag = tag(&input)
        request.referencedTaskTag = tag(&input)
        request.refCmdSN = cmdSN.advanced(by: input.choice(16) - 8)
        request.cmdSN = takeCmdSN(isImmediate: request.isImmediate, &input)
        return bytes(request, &input)
    }

    func textRequest(_ input: inout FuzzInput) -> [UInt8] {
        var request = TextRequest()
        let flags = input.byte()
        request.isImmediate = flags & 1 != 0
        request.isFinal = flags & 2 == 0
        request.isContinued = flags & 6 == 6
        request.targetTransferTag = flags & 8 == 0 ? TaskTag.reserved : lastTransferTag
        request.initiatorTaskTag = flags & 0x10 == 0 ? 9 : tag(&input)
        request.cmdSN = takeCmdSN(isImmediate: request.isImmediate, &input)
        let data =
            switch flags >> 6 {
            case 0: [UInt8]()
            case 1: TextKeys.encode([TextPair("SendTargets", input.pick(["All", "", "iqn.2026-01.a:t"]))])
            default: text.next(&input)
            }
        return bytes(request, data: data, &input)
    }

    func ping(_ input: inout FuzzInput) -> [UInt8] {
        var ping = NOPOut()
        ping.isImmediate = input.flag()
        ping.initiatorTaskTag = tag(&input)
        if input.flag() { ping.targetTransferTag = lastTransferTag }
        ping.cmdSN = takeCmdSN(isImmediate: ping.isImmediate, &input)
        return bytes(ping, data: [UInt8](repeating: 1, count: Int(input.integer(UInt16.self) & 0x3ff)), &input)
    }

    func logout(_ input: inout FuzzInput) -> [UInt8] {
        var request = LogoutRequest()
        request.isImmediate = input.flag()
        request.reason = UInt8(input.choice(4))
        request.connectionID = UInt16(input.choice(2))
        request.initiatorTaskTag = tag(&input)
        request.cmdSN = takeCmdSN(isImmediate: request.isImmediate, &input)
        return bytes(request, &input)
    }

    /// A header of the input's own with what follows as it says.
    func anything(_ input: inout FuzzInput) -> [UInt8] {
        let raw = input.take(48)
        var header = HeaderBytes { $0 < raw.count ? raw[$0] : 0 }
        let additional = [UInt8](repeating: input.byte(), count: 4 * Int(header[4] & 0x07))
        header[4] &= 0x07
        header[5] = 0
        header[6] &= 0x03
        let byteCount = Int(header[6]) << 8 | Int(header[7])
        return bytes(header, additional: additional, data: [UInt8](repeating: 0x41, count: byteCount), &input)
    }
}
