// SPDX-License-Identifier: Apache-2.0
import CShims
import Glibc
import Synchronization

/// One epoll reactor, run by one thread: descriptors, timers, inboxes from other threads, and hooks at the end of
/// each iteration. No event allocates: handlers are stored once, at registration.
///
/// Confined to the thread inside `run()`; before and after, to whoever owns it. `preconditionOnLoop()` checks the
/// first at every entry, and only `stop()`, `wake()` and `isOnLoop` may be called from elsewhere: that is the proof
/// for `@unchecked Sendable`.
package final class EventLoop: @unchecked Sendable {
    package struct Interest: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        package static let read = Interest(rawValue: 1)
        package static let write = Interest(rawValue: 2)
        /// The peer will send nothing more: reported as a hang-up, for a socket that is not read now.
        package static let end = Interest(rawValue: 4)
    }

    /// Errors and hang-ups are reported whatever the interest; a read or write then tells more.
    package struct Ready: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        package static let readable = Ready(rawValue: 1)
        package static let writable = Ready(rawValue: 2)
        package static let hangup = Ready(rawValue: 4)
        package static let error = Ready(rawValue: 8)
        /// Hung up or broken.
        package static let ended = Ready(rawValue: 12)
    }

    /// Names one registration for ever: a reused slot has another generation.
    package struct Registration: Hashable, Sendable {
        fileprivate let slot: UInt32
        fileprivate let generation: UInt32
    }

    private struct Slot {
        var generation: UInt32 = 0
        var descriptor: Int32 = -1
        var handler: ((Ready) -> Void)?
    }

    private static let eventsPerWait = 256
    private static let wakeupData = UInt64.max

    private let epoll: Int32
    private let wakeup: Wakeup
    private let owner = Atomic<UInt>(0)
    private let stopRequested = Atomic<Bool>(false)
    private var slots: [Slot] = []
    private var freeSlots: [UInt32] = []
    private var timers = TimerHeap()
    private var inboxes: [() -> Void] = []
    private var endOfIterationHooks: [() -> Void] = []
    private var isIterationRequested = false
    private var ready: [sluice_ready]
    /// Read once per iteration, after waiting. Exact enough for timeouts; measure latencies with `MonotonicClock`.
    package private(set) var now: MonotonicInstant

    package init() throws(SystemError) {
        wakeup = try Wakeup()
        epoll = sluice_epoll_create()
        guard epoll >= 0 else { throw .last("epoll_create1") }
        ready = Array(repeating: sluice_ready(), count: Self.eventsPerWait)
        now = MonotonicClock.now()
        guard
            sluice_epoll_control(epoll, SLUICE_EPOLL_ADD, wakeup.fileDescriptor, true, false, false, Self.wakeupData)
                == 0
        else {
            let error = SystemError.last("epoll_ctl")
            _ = close(epoll)
            throw error
        }
    }

    deinit { _ = close(epoll) }

    // MARK: Descriptors

    /// Level-triggered: the handler is called again as long as the condition holds. The caller keeps the descriptor
    /// open until `deregister`, and closes it.
    package func register(
        _ descriptor: Int32, _ interest: Interest, handler: @escaping (Ready) -> Void
    ) throws(SystemError) -> Registration {
        preconditionOnLoop()
        let index = freeSlots.popLast() ?? UInt32(slots.count)
        if index == slots.count { slots.append(Slot()) }
        let registration = Registration(slot: index, generation: slots[Int(index)].generation)
        guard control(SLUICE_EPOLL_ADD, descriptor, interest, registration) == 0 else {
            let error = SystemError.last("epoll_ctl")
            freeSlots.append(index)
            throw error
        }
        slots[Int(index)].descriptor = descriptor
        slots[Int(index)].handler = handler
        return registration
    }

    package func setInterest(_ interest: Interest, for registration: Registration) throws(SystemError) {
        preconditionOnLoop()
        let slot = slots[Int(registration.slot)]
        precondition(slot.generation == registration.generation, "the registration has ended")
        guard control(SLUICE_EPOLL_CHANGE, slot.descriptor, interest, registration) == 0 else {
            throw .last("epoll_ctl")
        }
    }

    /// The handler is not called any more, not even for what this iteration already reported. Twice is harmless.
    package func deregister(_ registration: Registration) {
        preconditionOnLoop()
        let index = Int(registration.slot)
        guard slots[index].generation == registration.generation else { return }
        _ = control(SLUICE_EPOLL_REMOVE, slots[index].descriptor, [], registration)
        slots[index] = Slot(generation: registration.generation &+ 1)
        freeSlots.append(registration.slot)
    }

    // MARK: Timers, inboxes, hooks

    /// A timer to arm as often as wanted; the handler is stored once.
    package func makeTimer(_ handler: @escaping () -> Void) -> LoopTimer { LoopTimer(loop: self, handler: handler) }

    /// Calls once after `delay`, unless cancelled.
    @discardableResult
    package func schedule(after delay: Duration, _ handler: @escaping () -> Void) -> LoopTimer {
        let timer = makeTimer(handler)
        timer.arm(after: delay)
        return timer
    }

    /// Called in every iteration, after descriptors and timers and before the end-of-iteration hooks: see `Mailbox`.
    package func addInbox(_ drain: @escaping () -> Void) {
        preconditionOnLoop()
        inboxes.append(drain)
    }

    /// Called last in every iteration, in order of addition, whatever woke the loop.
    package func addEndOfIterationHook(_ hook: @escaping () -> Void) {
        preconditionOnLoop()
        endOfIterationHooks.append(hook)
    }

    /// The next iteration does not wait: something stopped early to be fair to others.
    package func requestIteration() {
        preconditionOnLoop()
        isIterationRequested = true
    }

    // MARK: Running

    package func run() throws(SystemError) {
        let (isFree, _) = owner.compareExchange(
            expected: 0, desired: UInt(pthread_self()), ordering: .acquiringAndReleasing)
        precondition(isFree, "the loop runs already")
        defer { owner.store(0, ordering: .releasing) }
        while !stopRequested.load(ordering: .acquiring) { try iterate() }
        releaseHandlers()
    }

    /// Handlers hold their owners, and these often the loop: after the last iteration the cycle is cut here.
    private func releaseHandlers() {
        for index in slots.indices { slots[index].handler = nil }
        timers.removeAll()
        inboxes = []
        endOfIterationHooks = []
    }

    /// From any thread. `run()` returns after the current iteration; a loop that was stopped stays so.
    package func stop() {
        stopRequested.store(true, ordering: .releasing)
        wakeup.signal()
    }

    /// From any thread: makes sure that one whole iteration begins after this call.
    package func wake() { wakeup.signal() }

    package var isOnLoop: Bool { owner.load(ordering: .relaxed) == UInt(pthread_self()) }

    @inline(__always)
    package func preconditionOnLoop() {
        let runner = owner.load(ordering: .relaxed)
        precondition(runner == 0 || runner == UInt(pthread_self()), "called from a thread that does not own the loop")
    }

    /// One round: wait, dispatch, timers, inboxes, hooks. `run()` repeats it; tests may call it by hand.
    package func iterate(waitingAtMost limit: Duration? = nil) throws(SystemError) {
        let count = unsafe sluice_epoll_wait(epoll, &ready, Int32(Self.eventsPerWait), timeoutMilliseconds(limit))
        isIterationRequested = false
        guard count >= 0 || errno == EINTR else { throw .last("epoll_wait") }
        now = MonotonicClock.now()
        for index in 0..<max(0, Int(count)) { dispatch(ready[index]) }
        while let timer = timers.popDue(now) { timer.fire() }
        for drain in inboxes { drain() }
        for hook in endOfIterationHooks { hook() }
    }

    private func timeoutMilliseconds(_ limit: Duration?) -> Int32 {
        if isIterationRequested { return 0 }
        var timeout = limit.map { Int32(clamping: $0.wholeMillisecondsRoundedUp) } ?? -1
        if let deadline = timers.nextDeadline {
            let wait = deadline.duration(since: MonotonicClock.now()).wholeMillisecondsRoundedUp
            let milliseconds = Int32(clamping: wait)
            timeout = timeout < 0 ? milliseconds : min(timeout, milliseconds)
        }
        return timeout
    }

    private func dispatch(_ event: sluice_ready) {
        guard event.data != Self.wakeupData else { return wakeup.consume() }
        let slot = Int(truncatingIfNeeded: event.data & 0xffff_ffff)
        let generation = UInt32(truncatingIfNeeded: event.data >> 32)
        // An earlier handler of this iteration may have ended this registration.
        guard slots[slot].generation == generation, let handler = slots[slot].handler else { return }
        var happened: Ready = []
        if event.readable { happened.insert(.readable) }
        if event.writable { happened.insert(.writable) }
        if event.hangup { happened.insert(.hangup) }
        if event.error { happened.insert(.error) }
        handler(happened)
    }

    private func control(
        _ change: sluice_epoll_change, _ descriptor: Int32, _ interest: Interest, _ registration: Registration
    ) -> Int32 {
        let data = UInt64(registration.generation) << 32 | UInt64(registration.slot)
        return sluice_epoll_control(
            epoll, change, descriptor, interest.contains(.read), interest.contains(.write), interest.contains(.end),
            data)
    }

    fileprivate func arm(_ timer: LoopTimer, at deadline: MonotonicInstant) { timers.insert(timer, deadline) }
    fileprivate func disarm(_ timer: LoopTimer) { timers.remove(timer) }
}

/// A one-shot deadline on a loop; may be armed again, also from its own handler. The loop keeps an armed timer alive.
/// Confined to its loop's thread like the loop itself.
package final class LoopTimer {
    private unowned let loop: EventLoop
    private let handler: () -> Void
    /// Its place in the heap; -1 when not armed. Kept by `TimerHeap`.
    var heapIndex = -1

    fileprivate init(loop: EventLoop, handler: @escaping () -> Void) {
        self.loop = loop
        self.handler = handler
    }

    package var isArmed: Bool { heapIndex >= 0 }

    /// Replaces an earlier deadline.
    package func arm(at deadline: MonotonicInstant) {
        loop.preconditionOnLoop()
        loop.arm(self, at: deadline)
    }

    package func arm(after delay: Duration) { arm(at: MonotonicClock.now().advanced(by: delay)) }

    package func cancel() {
        loop.preconditionOnLoop()
        loop.disarm(self)
    }

    fileprivate func fire() { handler() }
}
