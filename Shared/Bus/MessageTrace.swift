// SPDX-License-Identifier: Apache-2.0
import Foundation
import Messages
import Synchronization

/// Writes every message as one line of JSON to standard error, for people: `SLUICE_BUS_TRACE=1`. The lines hold names
/// and sizes, never block data.
final class MessageTrace: Sendable {
    enum Direction: String { case sent, received }

    /// nil, and so free of cost, unless the variable is set.
    static let shared: MessageTrace? = {
        guard let value = ProcessInfo.processInfo.environment["SLUICE_BUS_TRACE"], !value.isEmpty, value != "0" else {
            return nil
        }
        return MessageTrace { FileHandle.standardError.write($0) }
    }()

    private let write: @Sendable (Data) -> Void

    init(write: @escaping @Sendable (Data) -> Void) { self.write = write }

    private struct Line: Encodable {
        var direction: String
        var peer: String?
        var kind: String
        var isReply: Bool
        var requestID: UInt64
        var payloadByteCounts: [Int]
        var body: Body
    }

    /// The body as its schema's JSON, or why it is none.
    private enum Body: Encodable {
        case value(any Encodable)
        case unreadable(MessageError)

        func encode(to encoder: any Encoder) throws {
            switch self {
            case .value(let value): try value.encode(to: encoder)
            case .unreadable(let error):
                var container = encoder.singleValueContainer()
                try container.encode("unreadable: \(error)")
            }
        }
    }

    func record(_ message: IncomingMessage) {
        let envelope = message.envelope
        let header = MessageSocket.Header(envelope.kind, requestID: envelope.requestID, isReply: envelope.isReply)
        let body = unsafe RawSpan(_unsafeBytes: message.body)
        record(.received, header, body: body, payload: message.payload, peer: message.peer)
    }

    func record(
        _ direction: Direction, _ header: MessageSocket.Header, body: RawSpan, payload: [Frame], peer: PeerIdentity?
    ) {
        let content: Body
        do throws(MessageError) {
            content = .value(try MessageCatalog.decodeBody(kind: header.kind, isReply: header.isReply, body))
        } catch {
            content = .unreadable(error)
        }
        let line = Line(
            direction: direction.rawValue, peer: peer?.description, kind: "\(header.kind)", isReply: header.isReply,
            requestID: header.requestID, payloadByteCounts: payload.map(\.byteCount), body: content)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        guard var data = try? encoder.encode(line) else { return }
        data.append(0x0a)
        write(data)
    }
}
