// SPDX-License-Identifier: Apache-2.0
import Bus
import Glibc
import Logging
import Messages
import Platform
import Synchronization
import TestSupport
import Wire

/// Sockets in a directory of their own, removed with the last reference.
final class BusHarness: Sendable {
    let directory: TemporaryDirectory
    let logger = Logger(label: "bus-test") { _ in SwiftLogNoOpLogHandler() }

    init() throws { directory = try TemporaryDirectory() }

    func endpoint(_ name: String = "bus") throws -> Endpoint { try Endpoint(path: directory.path + "/" + name) }

    static func identity(_ service: ServiceKind) -> BusIdentity {
        BusIdentity(
            service: service, instance: ServiceInstance(rawValue: Randomness.nonzeroUInt64()), softwareVersion: "1.2.3")
    }

    func bus(
        _ service: ServiceKind, keys: BusKeys? = nil, options: Socket.Options = Socket.Options()
    ) throws -> BusThread {
        try BusThread(identity: Self.identity(service), keys: keys, logger: logger, options: options)
    }

    /// A bus that runs its handlers while `body` runs, and is closed after it.
    func serving<Result: Sendable>(
        _ bus: BusThread, at endpoint: Endpoint, _ body: @Sendable () async throws -> Result
    ) async throws -> Result {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await bus.run() }
            do {
                try await bus.bind(endpoint)
                let result = try await body()
                bus.shutdown()
                try await group.waitForAll()
                return result
            } catch {
                bus.shutdown()
                throw error
            }
        }
    }
}

/// A value that handlers and tests share.
final class Shared<Value: Sendable>: Sendable {
    private let storage: Mutex<Value>
    init(_ value: Value) { storage = Mutex(value) }
    var value: Value { storage.withLock { $0 } }
    func update(_ change: (inout sending Value) -> Void) { storage.withLock { change(&$0) } }
}

/// A DEALER without our schema: sends any frames it is told to.
enum RawPeer {
    static let identity = PeerIdentity(instance: ServiceInstance(rawValue: 77), ordinal: 1)

    /// Sends each message and collects what comes back, until `replies` messages came or ten seconds passed.
    /// On a thread of its own: it blocks, and the handlers it waits for need the tasks' threads.
    static func exchange(
        _ endpoint: Endpoint, _ messages: [[[UInt8]]], replies: Int
    ) async throws -> [[[UInt8]]] {
        let result = Shared<Result<[[[UInt8]]], any Error>>(.success([]))
        let thread = try IOThread(name: "raw peer") {
            let outcome = Result { try exchangeBlocking(endpoint, messages, replies: replies) }
            result.update { $0 = outcome }
        }
        await thread.finished()
        return try result.value.get()
    }

    private static func exchangeBlocking(
        _ endpoint: Endpoint, _ messages: [[[UInt8]]], replies: Int
    ) throws -> [[[UInt8]]] {
        let context = try BusContext()
        let socket = try Socket(.dealer(identity), context: context)
        defer { socket.close() }
        try socket.connect(endpoint)
        let end = MonotonicClock.now().advanced(by: .seconds(10))
        var received: [[[UInt8]]] = []
        for message in messages {
            for (index, part) in message.enumerated() {
                while socket.send(part, more: index < message.count - 1) != .sent, MonotonicClock.now() < end {
                    wait(socket.fileDescriptor, milliseconds: 5)
                }
            }
        }
        while received.count < replies, MonotonicClock.now() < end {
            if let reply = socket.receiveAll() {
                received.append(reply)
            } else {
                wait(socket.fileDescriptor, milliseconds: 20)
            }
        }
        return received
    }

    static func wait(_ descriptor: Int32, milliseconds: Int32) {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        _ = unsafe poll(&entry, 1, milliseconds)
    }

    static func message(
        _ kind: MessageKind, _ body: [UInt8], requestID: UInt64 = 1, lowestOpenNumber: UInt64 = 0,
        sender: ServiceInstance = ServiceInstance(rawValue: 77)
    ) -> [[UInt8]] {
        let envelope = Envelope(kind: kind, requestID: requestID, sender: sender, lowestOpenNumber: lowestOpenNumber)
        return [envelope.encoded(body: body), body]
    }

    static func hello() throws -> [[UInt8]] {
        let hello = HelloRequest(service: .cli, instance: ServiceInstance(rawValue: 77), softwareVersion: "raw")
        return message(.hello, try MessageCoder.encode(hello))
    }

    static func fault(_ parts: [[UInt8]]) throws -> BusFault {
        try MessageCoder.decode(BusFault.self, from: parts[1])
    }
}
