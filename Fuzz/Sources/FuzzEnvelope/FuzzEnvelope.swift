// SPDX-License-Identifier: Apache-2.0
import FuzzSupport
import Messages
import Wire

/// Everything of a bus message that is decoded: envelope, bodies of every kind, and the fixed layouts of I/O.
///
/// The first byte chooses; what decodes must encode to something that decodes to the same.
@main
enum FuzzEnvelope: FuzzTarget {
    static func run(_ input: [UInt8]) {
        var input = FuzzInput(input)
        switch input.choice(4) {
        case 0: envelope(frame: input.take(Envelope.byteCount), body: input.rest(), isSealed: false)
        case 1: envelope(frame: input.take(Envelope.byteCount), body: input.rest(), isSealed: true)
        case 2:
            let kind = input.pick(MessageKind.allCases)
            body(of: kind, isReply: input.flag(), input.rest())
        default: fixedLayouts(input.rest())
        }
    }

    /// - Parameter isSealed: length and checksum are made right first.
    private static func envelope(frame: [UInt8], body: [UInt8], isSealed: Bool) {
        var frame = frame
        if isSealed {
            frame.setLittleEndian(UInt32(body.count), at: 12)
            frame.setLittleEndian(CRC32C.checksum(frame.prefix(44) + body), at: 44)
        }
        let address = unsafe Envelope.address(in: frame.span.bytes)
        guard let envelope = try? unsafe Envelope(decoding: frame.span.bytes, body: body.span.bytes) else { return }
        precondition(
            address?.requestID == envelope.requestID && address?.isReply == envelope.isReply,
            "the address is another than the envelope's")
        let encoded = envelope.encoded(body: body)
        let again = try? unsafe Envelope(decoding: encoded.span.bytes, body: body.span.bytes)
        precondition(again == envelope, "an envelope does not decode to itself")
        // Flags that a newer minor version defines are not kept.
        precondition(envelope.version.minor > SchemaVersion.current.minor || encoded == frame, "other bytes")
        _ = try? unsafe MessageCatalog.decodeBody(kind: envelope.kind, isReply: envelope.isReply, body.span.bytes)
    }

    private static func body(of kind: MessageKind, isReply: Bool, _ bytes: [UInt8]) {
        guard let value = try? unsafe MessageCatalog.decodeBody(kind: kind, isReply: isReply, bytes.span.bytes) else {
            return
        }
        guard kind != .io else { return batch(value, bytes) }
        guard let encoded = try? MessageCoder.encode(value) else {
            // Names of fields that are not there cost bytes; what was near the limit may have grown beyond it.
            precondition(bytes.count > MessageLimits.bodyByteCount / 2, "\(kind) does not encode")
            return
        }
        guard
            let again = try? unsafe MessageCatalog.decodeBody(kind: kind, isReply: isReply, encoded.span.bytes),
            let encodedAgain = try? MessageCoder.encode(again)
        else { preconditionFailure("\(kind) does not decode again") }
        precondition(encodedAgain == encoded, "\(kind) is not stable")
    }

    private static func batch(_ value: any Encodable, _ bytes: [UInt8]) {
        if let requests = value as? [IORequest] {
            precondition(requests.flatMap(encoded) == bytes, "requests encode to other bytes")
        } else if let replies = value as? [IOReply] {
            precondition(replies.flatMap(encoded) == bytes, "replies encode to other bytes")
        }
    }

    private static func fixedLayouts(_ bytes: [UInt8]) {
        if let request = try? unsafe IORequest(decoding: bytes.span.bytes) {
            precondition(encoded(request) == bytes, "a request encodes to other bytes")
            precondition(throughCoder(request) == request, "the two forms of a request differ")
        }
        if let reply = try? unsafe IOReply(decoding: bytes.span.bytes) {
            precondition(encoded(reply) == bytes, "a reply encodes to other bytes")
            precondition(throughCoder(reply) == reply, "the two forms of a reply differ")
        }
    }

    private static func throughCoder<Value: Codable>(_ value: Value) -> Value? {
        (try? MessageCoder.encode(value)).flatMap { try? MessageCoder.decode(Value.self, from: $0) }
    }

    private static func encoded(_ request: IORequest) -> [UInt8] {
        var slot = [UInt8](repeating: 0xff, count: IORequest.byteCount)
        var whole = slot.mutableSpan
        var span = unsafe whole.mutableBytes
        request.encode(into: &span)
        return slot
    }

    private static func encoded(_ reply: IOReply) -> [UInt8] {
        var slot = [UInt8](repeating: 0xff, count: IOReply.byteCount)
        var whole = slot.mutableSpan
        var span = unsafe whole.mutableBytes
        reply.encode(into: &span)
        return slot
    }
}
