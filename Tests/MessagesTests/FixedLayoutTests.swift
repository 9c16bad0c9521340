// SPDX-License-Identifier: Apache-2.0
import Messages
import TestSupport
import Testing
import Wire

@Suite struct FixedLayoutTests {
    private func encode(_ request: IORequest) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xff, count: IORequest.byteCount)
        var whole = bytes.mutableSpan
        var span = unsafe whole.mutableBytes
        request.encode(into: &span)
        return bytes
    }

    private func encode(_ reply: IOReply) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xff, count: IOReply.byteCount)
        var whole = bytes.mutableSpan
        var span = unsafe whole.mutableBytes
        reply.encode(into: &span)
        return bytes
    }

    private func request(_ bytes: [UInt8]) throws(MessageError) -> IORequest {
        unsafe try IORequest(decoding: bytes.span.bytes)
    }

    private func reply(_ bytes: [UInt8]) throws(MessageError) -> IOReply {
        unsafe try IOReply(decoding: bytes.span.bytes)
    }

    @Test func requestsKeepTheirGoldenBytes() throws {
        let expected = IORequest(
            volume: VolumeID(rawValue: 0x0101_0101_0101_0101),
            frontend: ServiceInstance(rawValue: 0x0202_0202_0202_0202), number: 3, lowestOpenNumber: 2,
            deadlineMilliseconds: 1_700_000_000_000, nexus: 5, operation: .write,
            flags: [.forceUnitAccess, .disablePageOut], sectors: SectorRange(start: 0x1000, count: 8),
            payloadByteCount: 4096)
        let golden = try Golden.bytes("messages/v1/io-request")
        #expect(encode(expected) == golden)
        #expect(try request(golden) == expected)
    }

    @Test func repliesKeepTheirGoldenBytes() throws {
        let expected = IOReply(
            frontend: ServiceInstance(rawValue: 0x0202_0202_0202_0202), number: 3, status: .miscompare,
            information: 17, payloadByteCount: 512, arenaOffset: 0x8000)
        let golden = try Golden.bytes("messages/v1/io-reply")
        #expect(encode(expected) == golden)
        #expect(try reply(golden) == expected)
    }

    /// One source of truth: whatever one form carries, the other does too.
    @Test func bothFormsCarryTheSame() throws {
        var samples = SchemaSamples(seed: 2)
        for _ in 0..<300 {
            let sentRequest = samples.request()
            let codableRequest = try MessageCoder.decode(IORequest.self, from: MessageCoder.encode(sentRequest))
            #expect(try request(encode(sentRequest)) == codableRequest)
            #expect(codableRequest == sentRequest)
            let sentReply = samples.reply()
            let codableReply = try MessageCoder.decode(IOReply.self, from: MessageCoder.encode(sentReply))
            #expect(try reply(encode(sentReply)) == codableReply)
            #expect(codableReply == sentReply)
        }
    }

    @Test func refusesOtherLengths() throws {
        var samples = SchemaSamples(seed: 3)
        let (requestBytes, replyBytes) = (encode(samples.request()), encode(samples.reply()))
        for count in 0..<IORequest.byteCount {
            #expect(throws: MessageError.truncated) { try request(Array(requestBytes[..<count])) }
        }
        for count in 0..<IOReply.byteCount {
            #expect(throws: MessageError.truncated) { try reply(Array(replyBytes[..<count])) }
        }
        #expect(throws: MessageError.lengthMismatch) { try request(requestBytes + [0]) }
        #expect(throws: MessageError.lengthMismatch) { try reply(replyBytes + [0]) }
    }

    @Test func refusesUnknownValuesAndReservedBits() {
        var samples = SchemaSamples(seed: 4)
        let good = encode(samples.request())
        for value: UInt8 in [0, 15, 255] {
            var bytes = good
            bytes[72] = value
            #expect(throws: MessageError.invalidValue("operation")) { try request(bytes) }
        }
        for index in 73..<IORequest.byteCount {
            var bytes = good
            bytes[index] |= 0x80
            #expect(throws: MessageError.reservedBits) { try request(bytes) }
        }
        let goodReply = encode(samples.reply())
        var unknown = goodReply
        unknown[36] = 200
        #expect(throws: MessageError.invalidValue("status")) { try reply(unknown) }
        for index in 37..<IOReply.byteCount {
            var bytes = goodReply
            bytes[index] |= 1
            #expect(throws: MessageError.reservedBits) { try reply(bytes) }
        }
    }

    @Test func readsBatchesOfWholeRequestsOnly() throws {
        var samples = SchemaSamples(seed: 5)
        let requests = (0..<5).map { _ in samples.request() }
        let bytes = requests.flatMap { encode($0) }
        #expect(unsafe try IORequest.decodeBatch(bytes.span.bytes) == requests)
        #expect(throws: MessageError.lengthMismatch) {
            unsafe try IORequest.decodeBatch(Array(bytes.dropLast()).span.bytes)
        }
        let tooMany = [UInt8](repeating: 0, count: IOReply.byteCount * (MessageLimits.ioBatchCount + 1))
        #expect(throws: MessageError.self) { unsafe try IOReply.decodeBatch(tooMany.span.bytes) }
    }
}
