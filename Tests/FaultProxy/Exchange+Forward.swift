// SPDX-License-Identifier: Apache-2.0
import NIOCore
import NIOHTTP1

/// The part of an exchange that the server takes part in. Upload and answer run side by side, since a server may
/// answer before it has read everything, and may have to answer first (100 Continue).
extension Exchange {
    private enum Step: Sendable {
        case uploaded(RecordedRequest?)
        case replied(ReplyEnd)
    }

    /// A duplicate is pending before the client has its answer: who then waits for all that is pending waits for it.
    func forward() async throws -> End {
        script.count { $0.latePending += decision.duplicateDelays.count }
        do {
            let end = try await forwardOnce()
            if end.recorded == nil { dropDuplicates() }
            return end
        } catch {
            dropDuplicates()
            throw error
        }
    }

    private func dropDuplicates() {
        let count = decision.duplicateDelays.count
        // By a stop: given up, like one that was waiting for its time.
        let isGivenUp = Task.isCancelled
        script.count { counters in
            counters.latePending -= count
            if isGivenUp { counters.lateFailed += count }
        }
    }

    private func forwardOnce() async throws -> End {
        var forwarded = head
        if decision.stripsPreconditions {
            switch forwarded.stripPreconditions() {
            case .absent: break
            case .stripped: script.countInjected(.stripPreconditions)
            case .signed: script.countNotPossible(.stripPreconditions)
            }
        }
        let server: UpstreamPeer
        do { server = try await link.open() } catch { throw Failure.server }
        let (recorded, reply) = try await relay(forwarded, to: server)
        var end = End(recorded: recorded)
        switch reply {
        case .complete(let keepsConnection):
            end.keepsConnection = keepsConnection && head.isKeepAlive && server.channel.isActive
        case .lost:
            link.detach()
            script.countInjected(.lostReply)
            await client.reset()
        case .lateReset: break
        case .appliedHang:
            link.detach()
            script.countInjected(.hang)
            try? await client.waitForClose()
        case .cut(let name, let ending):
            link.detach()
            script.countInjected(name)
            server.close()
            switch ending {
            case .close: client.close()
            case .reset: await client.reset()
            case .hang: try? await client.waitForClose()
            }
        }
        return end
    }

    private func relay(
        _ forwarded: HTTPRequestHead, to server: UpstreamPeer
    ) async throws -> (RecordedRequest?, ReplyEnd) {
        try await withThrowingTaskGroup(of: Step.self) { group in
            group.addTask { .uploaded(try await upload(forwarded, to: server)) }
            group.addTask { .replied(try await ReplyRelay(exchange: self, server: server).run()) }
            var recorded: RecordedRequest?
            var reply: ReplyEnd?
            for try await step in group {
                switch step {
                case .uploaded(let request): recorded = request
                case .replied(let end): reply = end
                }
            }
            guard let reply else { preconditionFailure("the group ends when both have ended") }
            return (recorded, reply)
        }
    }

    /// - Returns: the request, if it is to be sent again.
    private func upload(_ forwarded: HTTPRequestHead, to server: UpstreamPeer) async throws -> RecordedRequest? {
        var request = decision.duplicateDelays.isEmpty ? nil : RecordedRequest(head: forwarded)
        var serverTakes = await passes { try await server.write(.head(forwarded)) }
        var isSlow = false
        while true {
            guard let part = try? await client.next() else { throw Failure.client }
            request?.append(part)
            // A server that has stopped reading may have answered; the rest of the request goes nowhere.
            if case .end = part, serverTakes, !forwarded.isChunked {
                // Everything is out already; a server that has answered may be gone.
                _ = await passes { try await server.write(part) }
            } else if serverTakes {
                if case .body(let bytes) = part, let rate = decision.requestBytesPerSecond {
                    if !isSlow { script.countInjected(.slowBody) }
                    isSlow = true
                    serverTakes = await passes {
                        try await Pace(bytesPerSecond: rate).write(bytes) { try await server.write(.body($0)) }
                    }
                } else {
                    serverTakes = await passes { try await server.write(part) }
                }
            }
            guard case .end = part else { continue }
            if serverTakes { script.count { $0.forwarded += 1 } }
            if decision.outcome == .reset(.after) {
                link.detach()
                script.countInjected(.reset)
                await client.reset()
            }
            return serverTakes ? request : nil
        }
    }

    private func passes(_ write: () async throws -> Void) async -> Bool {
        do { try await write() } catch { return false }
        return true
    }
}

/// Writes a body in small pieces, each followed by the time that it takes at the given rate.
struct Pace {
    let bytesPerSecond: Int

    func write(_ bytes: ByteBuffer, _ write: (ByteBuffer) async throws -> Void) async throws {
        var rest = bytes
        while rest.readableBytes > 0 {
            // A twentieth of a second's worth, so that the flow looks even.
            let count = min(rest.readableBytes, max(1, bytesPerSecond / 20))
            guard let piece = rest.readSlice(length: count) else { return }
            try await write(piece)
            try await Task.sleep(for: .seconds(Double(count) / Double(bytesPerSecond)))
        }
    }
}

extension HTTPRequestHead {
    /// The end of its body is something to send.
    fileprivate var isChunked: Bool { headers.contains(name: "transfer-encoding") }
}
