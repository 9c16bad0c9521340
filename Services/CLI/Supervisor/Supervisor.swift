// SPDX-License-Identifier: Apache-2.0
import Glibc
import Logging
import Messages
import Platform
import ServiceKit

/// Runs all services of one machine, brings back those that die, and stops them in reverse order.
///
/// One thread, one poll(2): signals, the children's output and the clock are all it waits for. It holds no data and
/// does no I/O for volumes; the gateway goes on while it is stopped, and if it dies the services stop themselves
/// (`SupervisorWatch`).
struct Supervisor {
    private let configurationPath: String
    private let overrides: [String]
    private let logFormat: LogFormat
    private let logger: Logger
    private var services: [SupervisedService]
    private let signals: SignalPipe
    private let lifeline: Lifeline
    private let clock = ContinuousClock()
    /// Set once, by a signal or by a service that cannot be started.
    private var ending: Ending?

    private struct Ending {
        /// nil: somebody asked for it.
        var failure: ServiceFailure?
        var since: ContinuousClock.Instant
        /// When the service that is being stopped now is killed.
        var killAt: ContinuousClock.Instant
        /// Index of that service; those above it have ended.
        var position: Int
    }

    /// How long one service may take to drain. Longer than any service's own limit.
    private static let drainTime = Duration.seconds(30)

    init(
        programDirectory: String, configurationPath: String, overrides: [String], logFormat: LogFormat, logger: Logger
    ) throws {
        self.configurationPath = configurationPath
        self.overrides = overrides
        self.logFormat = logFormat
        self.logger = logger
        services = ServiceKind.supervised.compactMap { kind in
            let program = programDirectory + "/" + kind.executableName
            return FileSystem.exists(program) ? SupervisedService(kind: kind, program: program) : nil
        }
        guard services.contains(where: { $0.kind == .cache }) else {
            throw ServiceFailure(
                .unavailable, "no services beside this program in \(programDirectory); build all of them (make build)")
        }
        signals = try SignalPipe([SIGTERM, SIGINT, SIGHUP, SIGCHLD])
        lifeline = try Lifeline()
    }

    /// Returns when every service has ended because somebody asked for it; throws when one could not be started.
    mutating func run() throws {
        for index in services.indices where ending == nil { start(index) }
        while !advanceEnding() {
            wait()
            for signal in signals.drain() { handle(signal) }
            reap()
            restartWhatIsDue()
        }
        if let failure = ending?.failure { throw failure }
    }

    // MARK: Starting and ending one service

    private mutating func start(_ index: Int) {
        let service = services[index]
        var arguments = ["--config", configurationPath]
        for override in overrides { arguments += ["--set", override] }
        do {
            let child = try ChildProcess.start(
                service.program, arguments, environment: Self.environment + ["\(SupervisorWatch.variable)=\(getpid())"],
                input: lifeline.readingEnd)
            services[index].phase = .running(child, since: clock.now)
            services[index].lines = LineBuffer()
            services[index].lastLines = []
        } catch {
            end(because: ServiceFailure(.operatingSystem, "\(service.kind.executableName) cannot be started: \(error)"))
        }
    }

    private mutating func reap() {
        for (processID, exit) in ChildProcess.reap() {
            guard let index = services.firstIndex(where: { $0.child?.processID == processID }),
                case .running(let child, let start) = services[index].phase
            else { continue }
            forward(child.readOutput().bytes, of: index)
            for line in services[index].lines.finish() { show(line, of: index) }
            child.closeOutput()
            services[index].phase = .stopped
            if ending == nil { decide(index, exit, uptime: clock.now - start) }
        }
    }

    private mutating func decide(_ index: Int, _ exit: ProcessExit, uptime: Duration) {
        let name = services[index].kind.shortName
        switch services[index].policy.decide(after: exit, uptime: uptime) {
        case .restart(let delay):
            logger.warning(
                "service ended, starting it again",
                metadata: ["service": "\(name)", "reason": "\(exit)", "after": "\(delay.configurationText)"])
            services[index].phase = .waiting(until: clock.now + delay)
        case .giveUp(let exitCode):
            logger.error(
                "service cannot be started, stopping everything",
                metadata: ["service": "\(name)", "reason": "\(exit)"])
            end(because: ServiceFailure(exitCode, services[index].complaint(exit)))
        }
    }

    private mutating func restartWhatIsDue() {
        guard ending == nil else { return }
        for index in services.indices {
            if case .waiting(let moment) = services[index].phase, moment <= clock.now { start(index) }
        }
    }

    // MARK: Stopping

    private mutating func handle(_ signal: Int32) {
        guard signal != SIGCHLD else { return }
        if let ending {
            // A second Ctrl-C: no more patience, which the journal makes safe. One that comes with the first signal is
            // the same wish, sent by a terminal and by a script.
            let isImpatient = signal == SIGINT && clock.now - ending.since > .seconds(1)
            if isImpatient { for service in services { kill(service, SIGKILL) } }
            return
        }
        logger.info("stopping", metadata: ["signal": "\(signal)"])
        end(because: nil)
    }

    private mutating func end(because failure: ServiceFailure?) {
        guard ending == nil else { return }
        for index in services.indices {
            if case .waiting = services[index].phase { services[index].phase = .stopped }
        }
        ending = Ending(failure: failure, since: clock.now, killAt: clock.now, position: services.count)
    }

    /// One step of stopping: the next service is told when the one after it has ended.
    /// - Returns: everything has ended.
    private mutating func advanceEnding() -> Bool {
        guard var ending else { return false }
        defer { self.ending = ending }
        if ending.position < services.count, services[ending.position].child != nil {
            if clock.now >= ending.killAt {
                logger.warning(
                    "service did not stop in time, killing it",
                    metadata: ["service": "\(services[ending.position].kind.shortName)"])
                kill(services[ending.position], SIGKILL)
                ending.killAt = clock.now + Self.drainTime
            }
            return false
        }
        while ending.position > 0 {
            ending.position -= 1
            guard services[ending.position].child != nil else { continue }
            // A stopped process acts on SIGTERM only once it continues.
            kill(services[ending.position], SIGTERM)
            kill(services[ending.position], SIGCONT)
            ending.killAt = clock.now + Self.drainTime
            return false
        }
        return true
    }

    private func kill(_ service: SupervisedService, _ signal: Int32) {
        if let child = service.child { _ = Glibc.kill(child.processID, signal) }
    }

    // MARK: Waiting and output

    private mutating func wait() {
        var descriptors = [pollfd(fd: signals.descriptor, events: Int16(POLLIN), revents: 0)]
        let running = services.indices.filter { services[$0].child != nil }
        for index in running {
            descriptors.append(pollfd(fd: services[index].child?.output ?? -1, events: Int16(POLLIN), revents: 0))
        }
        guard unsafe poll(&descriptors, nfds_t(descriptors.count), timeoutMilliseconds()) > 0 else { return }
        for (index, descriptor) in zip(running, descriptors.dropFirst()) where descriptor.revents != 0 {
            guard let child = services[index].child else { continue }
            let (bytes, isAtEnd) = child.readOutput()
            forward(bytes, of: index)
            // A child that closed its output but lives would wake the poll for ever; give its end a moment.
            if isAtEnd && bytes.isEmpty { usleep(10_000) }
        }
    }

    private func timeoutMilliseconds() -> Int32 {
        var moments = services.compactMap { service -> ContinuousClock.Instant? in
            if case .waiting(let moment) = service.phase { return moment }
            return nil
        }
        if let ending { moments.append(ending.killAt) }
        guard let next = moments.min() else { return -1 }
        return Int32(clamping: max(0, (next - clock.now).wholeMilliseconds + 1))
    }

    private mutating func forward(_ bytes: [UInt8], of index: Int) {
        for line in services[index].lines.append(bytes) { show(line, of: index) }
    }

    /// JSON lines name their service already, and a prefix would make them unreadable for programs.
    private mutating func show(_ line: String, of index: Int) {
        services[index].remember(line)
        guard logFormat == .text else {
            StandardError.write(line + "\n")
            return
        }
        let name = services[index].kind.shortName
        StandardError.write(name + String(repeating: " ", count: max(0, 11 - name.utf8.count)) + "| \(line)\n")
    }

    private static var environment: [String] {
        ProcessEnvironment.current.filter { $0.key != SupervisorWatch.variable }.map { "\($0.key)=\($0.value)" }
            .sorted()
    }
}
