// SPDX-License-Identifier: Apache-2.0
import Logging
import Platform

/// One listening socket on the loop. When the process cannot take a connection (no descriptors), it pauses instead of
/// being woken for it again and again.
final class Listener {
    private static let acceptsPerTurn = 64
    private static let pause = Duration.seconds(1)

    let descriptor: Int32
    private let loop: EventLoop
    private let logger: Logger
    private let take: (Int32) -> Void
    private var registration: EventLoop.Registration?
    private var timer: LoopTimer?

    init(_ descriptor: Int32, loop: EventLoop, logger: Logger, take: @escaping (Int32) -> Void) throws(SystemError) {
        self.descriptor = descriptor
        self.loop = loop
        self.logger = logger
        self.take = take
        registration = try loop.register(descriptor, .read) { [unowned self] _ in accept() }
        timer = loop.makeTimer { [unowned self] in setInterest(.read) }
    }

    private func accept() {
        do throws(SystemError) {
            for _ in 0..<Self.acceptsPerTurn {
                guard let accepted = try TCPSocket.accept(descriptor) else { return }
                take(accepted)
            }
        } catch {
            logger.error("Cannot accept connections", metadata: ["reason": "\(error)"])
            setInterest([])
            timer?.arm(after: Self.pause)
        }
    }

    private func setInterest(_ interest: EventLoop.Interest) {
        guard let registration else { return }
        do throws(SystemError) {
            try loop.setInterest(interest, for: registration)
        } catch {
            logger.error("Cannot watch a listening socket", metadata: ["reason": "\(error)"])
        }
    }

    func close() {
        guard let registration else { return }
        loop.deregister(registration)
        self.registration = nil
        timer?.cancel()
        TCPSocket.close(descriptor)
    }
}
