// SPDX-License-Identifier: Apache-2.0
import Bus
import Messages
import Platform
import TestSupport
import Testing
import Wire

/// The client's side of a server that cannot be spoken to.
@Suite struct VersionMismatchTests {
    private let harness: BusHarness
    init() throws { harness = try BusHarness() }

    /// A ROUTER that answers every message with what `answer` makes of it, until it is stopped.
    private func rawServer(
        _ endpoint: Endpoint, isStopped: Shared<Bool>, answer: @escaping @Sendable ([[UInt8]]) -> [[UInt8]]
    ) throws -> IOThread {
        try IOThread(name: "raw server") {
            guard let context = try? BusContext(), let socket = try? Socket(.router, context: context),
                (try? socket.bind(endpoint)) != nil
            else {
                Issue.record("no raw server")
                return
            }
            while !isStopped.value {
                guard let message = socket.receiveAll() else {
                    RawPeer.wait(socket.fileDescriptor, milliseconds: 5)
                    continue
                }
                let parts = [message[0]] + answer(Array(message.dropFirst()))
                for (index, part) in parts.enumerated() { _ = socket.send(part, more: index < parts.count - 1) }
            }
            socket.close()
        }
    }

    private func expectFault(
        _ code: BusFault.Code, _ words: [String], answer: @escaping @Sendable ([[UInt8]]) -> [[UInt8]]
    ) async throws {
        let endpoint = try harness.endpoint()
        let isStopped = Shared(false)
        let server = try rawServer(endpoint, isStopped: isStopped, answer: answer)
        let client = try harness.bus(.cli)
        for _ in 0..<2 {
            let fault = await #expect(throws: BusFault.self) {
                try await client.request(VolumeListRequest(), to: endpoint, deadline: .seconds(10))
            }
            #expect(fault?.code == code)
            for word in words { #expect(fault?.message.contains(word) == true, "\(fault?.message ?? "")") }
        }
        isStopped.update { $0 = true }
        await server.finished()
        await client.close()
    }

    @Test func aServerOfAnotherMajorVersionFailsRequestsWithAClearError() async throws {
        try await expectFault(
            .unsupportedVersion, ["2.\(SchemaVersion.current.minor)", "\(SchemaVersion.current)", "same release"]
        ) { message in
            var envelope = message[0]
            envelope[4] = 2
            envelope[10] = 1
            return [envelope, message[1]]
        }
    }

    @Test func aServerThatRefusesOurVersionIsBelieved() async throws {
        try await expectFault(.unsupportedVersion, ["we speak 3.0"]) { message in
            let fault = BusFault(.unsupportedVersion, "we speak 3.0")
            return refusal(fault, of: message)
        }
    }

    @Test func aRefusedHelloFailsRequests() async throws {
        try await expectFault(.revoked, ["this instance was revoked"]) { message in
            refusal(BusFault(.revoked, "this instance was revoked"), of: message)
        }
    }
}

private func refusal(_ fault: BusFault, of message: [[UInt8]]) -> [[UInt8]] {
    let body = (try? MessageCoder.encode(fault)) ?? []
    let head = message[0]
    let requestID = unsafe Envelope.address(in: head.span.bytes)?.requestID ?? 0
    let envelope = Envelope(
        kind: .fault, isReply: true, requestID: requestID, sender: ServiceInstance(rawValue: 1))
    return [envelope.encoded(body: body), body]
}
