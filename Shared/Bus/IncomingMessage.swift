// SPDX-License-Identifier: Apache-2.0
package import Messages
import Wire

/// A message as it was received. One object serves for all messages of a socket: what it shows is valid until the next
/// `MessageSocket.receive` into it; payload frames may be kept.
package final class IncomingMessage {
    /// Who sent it; nil on a DEALER, which has one peer.
    package internal(set) var peer: PeerIdentity?
    package internal(set) var envelope = Envelope(
        kind: .fault, requestID: 0, sender: ServiceInstance(rawValue: 0))
    package internal(set) var payload: [Frame] = []
    let identityFrame = Frame()
    let envelopeFrame = Frame()
    let bodyFrame = Frame()

    package init() {}

    /// May its sender be this kind of service? Whoever came with a key is what the key says.
    package func isAllowed(as kind: ServiceKind) -> Bool { envelopeFrame.userID.map { $0 == kind.userID } ?? true }

    /// Why a hello is refused that `isAllowed` does not allow.
    package func impostorFault(_ kind: ServiceKind) -> BusFault {
        BusFault(
            .invalidArgument,
            "hello says \(kind), but the key is that of \(envelopeFrame.userID ?? "nobody"): give each service the "
                + "keys of its own kind")
    }

    /// Why a request is refused that its sender has no business with.
    package func strangerFault(_ sender: ServiceKind) -> BusFault {
        BusFault(.unsupportedKind, "messages of kind \(envelope.kind) are not taken from services of kind \(sender)")
    }

    package var body: UnsafeRawBufferPointer { unsafe bodyFrame.bytes }
    package var bodyArray: [UInt8] { bodyFrame.array }

    package func decodeBody<Value: Decodable>(_ type: Value.Type) throws(MessageError) -> Value {
        let span = unsafe RawSpan(_unsafeBytes: bodyFrame.bytes)
        return try MessageCoder.decode(type, from: span)
    }
}
