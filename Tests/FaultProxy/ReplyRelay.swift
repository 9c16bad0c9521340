// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOHTTP1

/// What became of an answer.
enum ReplyEnd: Sendable {
    enum Ending: Sendable { case close, reset, hang }

    case complete(keepsConnection: Bool)
    /// The server has answered, and the client is to get a reset.
    case lost
    /// The client got its reset when its request was forwarded.
    case lateReset
    /// The server has answered, and the client is to get nothing.
    case appliedHang
    case cut(FaultName, Ending)
}

/// Passes one answer of the server on to the client, whole, damaged, in part or not at all.
struct ReplyRelay: Sendable {
    private enum Treatment {
        case pass
        case drop(ReplyEnd)
        case cut(keep: Int, FaultName, ReplyEnd.Ending)
    }

    let exchange: Exchange
    let server: UpstreamPeer

    private var decision: FaultDecision { exchange.decision }
    private var script: FaultScript { exchange.script }

    func run() async throws -> ReplyEnd {
        do { return try await relay() } catch let failure as Exchange.Failure {
            // A client that waits for the rest of the answer, or that still uploads, is told at once.
            if failure == .server, exchange.client.channel.isActive, !exchange.link.isDetached {
                script.count { $0.upstreamFailures += 1 }
                exchange.link.detach()
                await exchange.client.reset()
            }
            throw failure
        }
    }

    private func relay() async throws -> ReplyEnd {
        let head = try await finalHead()
        let length = bodyLength(head)
        let treatment = treatment(head, length: length)
        var flips = BitFlips(decision, length: length)
        if decision.flippedBitCount > 0, length == 0 { script.countNotPossible(.flipBits) }
        if case .drop(let end) = treatment {
            while try await part() != nil {}
            return end
        }
        try await send(.head(head))
        var left = Int.max
        if case .cut(let keep, _, _) = treatment { left = keep }
        var isSlow = false
        while left > 0, var bytes = try await part() {
            if flips.apply(to: &bytes) { script.countInjected(.flipBits) }
            let kept = bytes.readSlice(length: min(left, bytes.readableBytes)) ?? bytes
            left -= kept.readableBytes
            guard let rate = decision.responseBytesPerSecond else {
                try await send(.body(kept))
                continue
            }
            if !isSlow { script.countInjected(.slowBody) }
            isSlow = true
            try await Pace(bytesPerSecond: rate).write(kept) { try await send(.body($0)) }
        }
        if case .cut(_, let name, let ending) = treatment { return .cut(name, ending) }
        // An answer without a body has no end on the wire, even if its headers speak of chunks.
        if length != 0 { try await send(.end(nil)) }
        return .complete(keepsConnection: head.isKeepAlive)
    }

    private func treatment(_ head: HTTPResponseHead, length: Int?) -> Treatment {
        func cut(_ keep: Int, _ name: FaultName, _ ending: ReplyEnd.Ending) -> Treatment {
            if length == 0 {
                script.countNotPossible(name)
                return .pass
            }
            // At least one byte is missing; without a length it is the end that is.
            return .cut(keep: length.map { min(keep, $0 - 1) } ?? keep, name, ending)
        }
        switch decision.outcome {
        case .truncate(let keep): return cut(keep, .truncate, .close)
        case .hang(.body): return cut(length.map { $0 / 2 } ?? 1, .hang, .hang)
        case .reset(.body): return cut(length.map { $0 / 2 } ?? 1, .reset, .reset)
        case .hang(.applied): return .drop(.appliedHang)
        case .reset(.after): return .drop(.lateReset)
        case .lostReply:
            if (200..<300).contains(head.status.code) { return .drop(.lost) }
            script.countNotPossible(.lostReply)
            return .pass
        default: return .pass
        }
    }

    // MARK: The server's answer

    /// Informational answers go to the client as they come.
    private func finalHead() async throws -> HTTPResponseHead {
        while true {
            guard let part = try? await server.next() else { throw Exchange.Failure.server }
            guard case .head(let head) = part else { continue }
            if head.status.code >= 200 { return head }
            if decision.outcome != .reset(.after) { try await send(.head(head)) }
        }
    }

    /// The next bytes of the body, nil at its end.
    private func part() async throws -> ByteBuffer? {
        guard let part = try? await server.next() else { throw Exchange.Failure.server }
        switch part {
        case .body(let bytes): return bytes
        case .head, .end: return nil
        }
    }

    private func send(_ part: HTTPPart<HTTPResponseHead, ByteBuffer>) async throws {
        do { try await exchange.client.write(part) } catch { throw Exchange.Failure.client }
    }

    /// How many bytes of body follow, nil if only their end will tell.
    private func bodyLength(_ head: HTTPResponseHead) -> Int? {
        guard exchange.head.method != .HEAD, head.status.mayHaveResponseBody else { return 0 }
        return head.headers.first(name: "content-length").flatMap { Int($0) }
    }
}

/// The bits of one body to be inverted, counted from its beginning. Of a body of unknown length it is the first part
/// that is hit.
struct BitFlips {
    private var places: [Int] = []
    private let wanted: Int
    private var dice: FaultDice
    private var offset = 0
    private var hasFlipped = false

    init(_ decision: FaultDecision, length: Int?) {
        wanted = length == 0 ? 0 : decision.flippedBitCount
        dice = FaultDice(seed: decision.seed, rule: 0, request: decision.request)
        if let length { draw(below: length) }
    }

    private mutating func draw(below length: Int) {
        guard wanted > 0, length > 0 else { return }
        var chosen: Set<Int> = []
        while chosen.count < min(wanted, length * 8) { chosen.insert(Int.random(in: 0..<length * 8, using: &dice)) }
        places = chosen.sorted(by: >)
    }

    /// - Returns: whether the first bit of the body was inverted here.
    mutating func apply(to bytes: inout ByteBuffer) -> Bool {
        let isFirst = !hasFlipped
        if offset == 0, places.isEmpty { draw(below: bytes.readableBytes) }
        let end = offset + bytes.readableBytes
        while let place = places.last, place / 8 < end {
            places.removeLast()
            let index = bytes.readerIndex + place / 8 - offset
            guard let byte = bytes.getInteger(at: index, as: UInt8.self) else { break }
            bytes.setInteger(byte ^ (1 << UInt8(place % 8)), at: index)
            hasFlipped = true
        }
        offset = end
        return isFirst && hasFlipped
    }
}
