// SPDX-License-Identifier: Apache-2.0
import Messages
import TestSupport
import Testing
import Wire

@Suite struct EnvelopeTests {
    private let hello = Envelope(
        kind: .hello, requestID: 7, sender: ServiceInstance(rawValue: 0x1122_3344_5566_7788), lowestOpenNumber: 6,
        timeoutMilliseconds: 2000)
    /// Of the golden files.
    private let first = SchemaVersion(major: 1, minor: 0)

    private func decode(_ bytes: [UInt8], body: [UInt8] = []) throws(MessageError) -> Envelope {
        unsafe try Envelope(decoding: bytes.span.bytes, body: body.span.bytes)
    }

    @Test func keepsItsGoldenBytes() throws {
        let body = try Golden.bytes("messages/v1/hello-request")
        var hello = hello
        hello.version = first
        #expect(try hello.encoded(body: body) == Golden.bytes("messages/v1/envelope-hello"))
        var empty = Envelope(
            kind: .volumeDelete, isReply: true, requestID: .max, sender: ServiceInstance(rawValue: 1))
        empty.version = first
        #expect(try empty.encoded(body: []) == Golden.bytes("messages/v1/envelope-empty-reply"))
        #expect(try decode(Golden.bytes("messages/v1/envelope-empty-reply")) == empty)
        #expect(try decode(Golden.bytes("messages/v1/envelope-hello"), body: body) == hello)
    }

    @Test func roundTripsRandomValues() throws {
        var random = SeededRandom(seed: 1)
        for _ in 0..<200 {
            let body = random.bytes(random.below(100))
            let envelope = Envelope(
                kind: MessageKind.allCases[random.below(MessageKind.allCases.count)], isReply: random.oneIn(2),
                requestID: random.next(), sender: ServiceInstance(rawValue: random.next()),
                lowestOpenNumber: random.next(), timeoutMilliseconds: UInt32(truncatingIfNeeded: random.next()))
            #expect(try decode(envelope.encoded(body: body), body: body) == envelope)
        }
    }

    @Test func refusesEveryTruncationAndExtension() {
        let bytes = hello.encoded(body: [])
        for count in 0..<Envelope.byteCount {
            #expect(throws: MessageError.truncated) { try decode(Array(bytes[..<count])) }
        }
        #expect(throws: MessageError.lengthMismatch) { try decode(bytes + [0]) }
    }

    @Test func noticesAnyFlippedBit() throws {
        let body: [UInt8] = [1, 2, 3]
        let bytes = hello.encoded(body: body)
        for bit in 0..<(bytes.count + body.count) * 8 {
            var (changed, changedBody) = (bytes, body)
            if bit / 8 < bytes.count {
                changed[bit / 8] ^= 1 << UInt8(bit % 8)
            } else {
                changedBody[bit / 8 - bytes.count] ^= 1 << UInt8(bit % 8)
            }
            #expect(throws: MessageError.self) { try decode(changed, body: changedBody) }
        }
    }

    @Test func refusesAnotherMajorVersionWhateverFollows() throws {
        var other = hello
        other.version = SchemaVersion(major: 2, minor: 7)
        let bytes = other.encoded(body: [])
        let expected = MessageError.unsupportedVersion(SchemaVersion(major: 2, minor: 7))
        #expect(throws: expected) { try decode(bytes) }
        #expect(throws: expected) { try decode(Array(bytes[..<8])) }
        #expect(throws: expected) { try decode(bytes + [1, 2, 3], body: [9]) }
        #expect(expected.disposition == .refusePeer)
        #expect(expected.description.contains("2.7") && expected.description.contains("\(SchemaVersion.current)"))
    }

    @Test func readsANewerMinorVersionWithItsUnknownFlags() throws {
        var newer = hello
        newer.version = SchemaVersion(major: 1, minor: SchemaVersion.current.minor + 1)
        var bytes = newer.encoded(body: [])
        bytes[10] |= 0x80
        bytes = withChecksum(bytes)
        #expect(try decode(bytes) == newer)
        var current = hello.encoded(body: [])
        current[10] |= 0x80
        #expect(throws: MessageError.reservedBits) { try decode(withChecksum(current)) }
    }

    @Test func namesAnUnknownKind() {
        var bytes = hello.encoded(body: [])
        bytes[8] = 0xee
        bytes[9] = 0xee
        #expect(throws: MessageError.unsupportedKind(0xeeee)) { try decode(withChecksum(bytes)) }
    }

    @Test func givesTheAddressOfAMessageItCannotRead() {
        var other = hello
        other.version = SchemaVersion(major: 9, minor: 0)
        other.isReply = true
        let bytes = other.encoded(body: [])
        let address = unsafe Envelope.address(in: bytes.span.bytes)
        #expect(address?.requestID == 7 && address?.isReply == true)
        #expect(unsafe Envelope.address(in: Array(bytes[..<23]).span.bytes) == nil)
        #expect(unsafe Envelope.address(in: [UInt8](repeating: 0, count: 48).span.bytes) == nil)
    }

    private func withChecksum(_ bytes: [UInt8]) -> [UInt8] {
        let checksum = CRC32C.checksum(Array(bytes[..<44]))
        return bytes[..<44] + (0..<4).map { UInt8(truncatingIfNeeded: checksum >> (8 * $0)) }
    }
}
