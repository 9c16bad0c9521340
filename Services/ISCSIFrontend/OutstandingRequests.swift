// SPDX-License-Identifier: Apache-2.0
package import Messages
package import Wire

/// The requests of one frontend instance that one cache manager has not answered (STORAGE §4, "Requests that come
/// twice"). No socket and no clock: events and monotonic nanoseconds go in, batches to send and expired requests come
/// out. `Owner` says whose request it is, `Payload` is the data that travels with it.
///
/// A request keeps its number for life, also when its volume moves to another cache manager. Whenever the cache manager
/// has started again, or may have lost something, everything open goes out again in the order of the numbers before
/// anything new; the cache manager answers what it has done already from memory, so a repeat is never applied twice.
/// Numbers are drawn elsewhere, for all cache managers together, so there are gaps between them.
package struct OutstandingRequests<Owner: Equatable, Payload> {
    package struct Policy: Sendable {
        package var batchRequestCount = 64
        package var batchByteCount = 8 << 20
        /// A single message that was lost costs this long; the interval doubles for answers that only take their time.
        package var firstRepeat: UInt64 = 1_000_000_000
        package var longestRepeat: UInt64 = 8_000_000_000
        package init() {}
    }

    package struct Item {
        package var request: IORequest
        package var payload: Payload?
    }

    /// An open request on its way to another table.
    package struct Moved { fileprivate var entry: Entry }

    /// A request that leaves the table.
    package struct Closed {
        package var request: IORequest
        package var owner: Owner
        /// False: the cache manager cannot have seen it.
        package var wasSent: Bool
    }

    fileprivate struct Entry {
        var request: IORequest
        var payload: Payload?
        var owner: Owner
        var deadline: UInt64
        var nextRepeat: UInt64 = .max
        var repeatInterval: UInt64
        var timesSent = 0
    }

    package let frontend: ServiceInstance
    /// Requests that were sent more than once.
    package private(set) var resentCount: UInt64 = 0
    package private(set) var expiredCount: UInt64 = 0
    package private(set) var isConnected = false

    private let policy: Policy
    /// In the order of their numbers, which stand beside them; nil once closed. The one at `head` is always open.
    private var entries: [Entry?] = []
    private var numbers: [UInt64] = []
    private var head = 0
    /// Everything before this number was sent to the present incarnation.
    private var nextToSend: UInt64 = 1
    private var repeats: [UInt64] = []
    private var prepared: [UInt64] = []
    /// Not later than the first deadline or repeat that is due.
    private var earliestDue: UInt64 = .max

    package init(frontend: ServiceInstance, policy: Policy = Policy()) {
        self.frontend = frontend
        self.policy = policy
    }

    package private(set) var openCount = 0
    /// nil: none is open. Barriers do not count: they are remembered by their nexus, and may stay open for long.
    package var lowestOpenNumber: UInt64? {
        for index in head..<entries.count {
            guard let entry = entries[index] else { continue }
            if entry.request.operation != .nexusBarrier, entry.request.operation != .nexusLoss { return numbers[index] }
        }
        return nil
    }
    /// When `advance` has something to do; nil while nothing is due ever.
    package var nextDeadline: UInt64? { earliestDue == .max ? nil : earliestDue }
    /// Open requests that wait for a connection.
    package var heldCount: Int { isConnected ? 0 : openCount }
    package var hasSomethingToSend: Bool {
        isConnected && (!repeats.isEmpty || (numbers.last.map { nextToSend <= $0 } ?? false))
    }

    /// - Parameters:
    ///   - request: without identity, which is filled in here.
    ///   - number: higher than all before.
    ///   - deadline: when to give up.
    package mutating func submit(
        _ request: IORequest, number: UInt64, payload: Payload?, owner: Owner, deadline: UInt64
    ) {
        precondition(numbers.last.map { $0 < number } ?? true, "numbers rise")
        var request = request
        request.frontend = frontend
        request.number = number
        enter(
            Entry(
                request: request, payload: payload, owner: owner, deadline: deadline,
                repeatInterval: policy.firstRepeat))
    }

    private mutating func enter(_ entry: Entry) {
        let number = entry.request.number
        let place = place(of: number)
        if place < numbers.count, numbers[place] == number {
            entries[place] = entry
        } else {
            entries.insert(entry, at: place)
            numbers.insert(number, at: place)
        }
        openCount += 1
        earliestDue = min(earliestDue, entry.deadline)
    }

    // MARK: Another cache manager

    /// The volume is elsewhere now: its requests leave this table, the oldest first.
    package mutating func take(of volume: VolumeID) -> [Moved] {
        var moved: [Moved] = []
        for index in head..<entries.count {
            guard let entry = entries[index], entry.request.volume == volume else { continue }
            moved.append(Moved(entry: entry))
            entries[index] = nil
            openCount -= 1
        }
        trim()
        return moved
    }

    /// Requests of a volume that has come here. They go out before anything new of it.
    /// - Parameter clockDifference: of this cache manager's clock and the former one's, for their deadlines.
    package mutating func add(_ moved: [Moved], clockDifference: Int64 = 0) {
        for one in moved {
            var entry = one.entry
            entry.nextRepeat = .max
            if entry.request.deadlineMilliseconds != 0 {
                let deadline = Int64(clamping: entry.request.deadlineMilliseconds) + clockDifference
                entry.request.deadlineMilliseconds = UInt64(max(1, deadline))
            }
            enter(entry)
            if isConnected, entry.request.number < nextToSend { repeats.append(entry.request.number) }
        }
        repeats.sort()
    }

    // MARK: The connection

    /// An incarnation of the cache manager has answered hello: everything open goes out, the oldest first.
    package mutating func connected() {
        isConnected = true
        nextToSend = 0
        repeats.removeAll(keepingCapacity: true)
    }

    /// Nothing that was sent can be relied on any more.
    package mutating func disconnected() {
        isConnected = false
        repeats.removeAll(keepingCapacity: true)
        for index in head..<entries.count { entries[index]?.nextRepeat = .max }
    }

    // MARK: Sending

    /// What to send next in one message, repeats first, or nothing. Call `batchWasSent` if it was taken.
    /// - Parameter lowestOpenNumber: of this frontend instance; all lower ones are closed at every cache manager.
    package mutating func prepareBatch(into batch: inout [Item], lowestOpenNumber: UInt64) {
        batch.removeAll(keepingCapacity: true)
        prepared.removeAll(keepingCapacity: true)
        guard isConnected else { return }
        var byteCount = 0
        for number in repeats { guard add(number, lowestOpenNumber, to: &batch, &byteCount) else { return } }
        var place = place(of: nextToSend)
        while place < numbers.count, add(numbers[place], lowestOpenNumber, to: &batch, &byteCount) { place += 1 }
    }

    /// False when the batch is full.
    private mutating func add(
        _ number: UInt64, _ lowestOpenNumber: UInt64, to batch: inout [Item], _ byteCount: inout Int
    ) -> Bool {
        guard let index = index(of: number), let entry = entries[index] else {
            // Closed meanwhile: counts as sent, so that the cursor passes it.
            prepared.append(number)
            return true
        }
        let payloadByteCount = Int(entry.request.payloadByteCount)
        guard batch.count < policy.batchRequestCount,
            batch.isEmpty || byteCount + payloadByteCount <= policy.batchByteCount
        else { return false }
        var request = entry.request
        request.lowestOpenNumber = lowestOpenNumber
        if entry.timesSent > 0 { request.flags.insert(.repeated) }
        byteCount += payloadByteCount
        batch.append(Item(request: request, payload: entry.payload))
        prepared.append(number)
        return true
    }

    package mutating func batchWasSent(at now: UInt64) {
        for number in prepared {
            if number >= nextToSend {
                nextToSend = number + 1
            } else if let place = repeats.firstIndex(of: number) {
                repeats.remove(at: place)
            }
            guard let index = index(of: number), var entry = entries[index] else { continue }
            if entry.timesSent > 0 { resentCount += 1 }
            entry.timesSent += 1
            entry.nextRepeat = now &+ entry.repeatInterval
            entry.repeatInterval = min(2 * entry.repeatInterval, policy.longestRepeat)
            entries[index] = entry
            earliestDue = min(earliestDue, entry.nextRepeat)
        }
        prepared.removeAll(keepingCapacity: true)
    }

    // MARK: Closing

    /// The cache manager has answered. Nil: a late or repeated answer.
    package mutating func complete(_ number: UInt64) -> Closed? {
        guard let index = index(of: number), let entry = entries[index], entry.timesSent > 0 else { return nil }
        return close(index, entry)
    }

    /// What passed its deadline leaves the table; what was not answered for long is sent again.
    package mutating func advance(to now: UInt64, expired: (Closed) -> Void) {
        guard now >= earliestDue else { return }
        earliestDue = .max
        for index in head..<entries.count {
            guard let entry = entries[index] else { continue }
            if entry.deadline <= now {
                expiredCount += 1
                entries[index] = nil
                openCount -= 1
                expired(Closed(request: entry.request, owner: entry.owner, wasSent: entry.timesSent > 0))
                continue
            }
            if isConnected, entry.nextRepeat <= now {
                repeats.append(entry.request.number)
                entries[index]?.nextRepeat = .max
            }
            earliestDue = min(earliestDue, entry.deadline, entries[index]?.nextRepeat ?? .max)
        }
        trim()
    }

    /// Forgets requests whose owner is gone or does not want them any more; they are never sent again.
    /// - Returns: how many of them the cache manager may still apply, until a barrier of their nexus has passed.
    @discardableResult
    package mutating func drop(where isDropped: (Owner) -> Bool) -> Int {
        var sentCount = 0
        for index in head..<entries.count {
            guard let entry = entries[index], isDropped(entry.owner) else { continue }
            if entry.timesSent > 0 { sentCount += 1 }
            entries[index] = nil
            openCount -= 1
        }
        trim()
        return sentCount
    }

    /// A barrier has made the cache manager drop what waited of this nexus: what is still wanted goes out again now.
    package mutating func repeatNow(nexus: UInt64) {
        guard isConnected else { return }
        for index in head..<entries.count {
            guard let entry = entries[index], entry.request.nexus == nexus, entry.nextRepeat != .max else { continue }
            repeats.append(entry.request.number)
            entries[index]?.nextRepeat = .max
        }
    }

    private mutating func close(_ index: Int, _ entry: Entry) -> Closed {
        entries[index] = nil
        openCount -= 1
        trim()
        return Closed(request: entry.request, owner: entry.owner, wasSent: entry.timesSent > 0)
    }

    private func index(of number: UInt64) -> Int? {
        let place = place(of: number)
        return place < numbers.count && numbers[place] == number ? place : nil
    }

    /// Of the first entry whose number is not lower.
    private func place(of number: UInt64) -> Int {
        guard head < numbers.count, number > numbers[head] else { return head }
        // With one cache manager nearly all numbers are here.
        let distance = number - numbers[head]
        if distance < UInt64(numbers.count - head), numbers[head + Int(distance)] == number {
            return head + Int(distance)
        }
        var (low, high) = (head, numbers.count)
        while low < high {
            let middle = (low + high) / 2
            if numbers[middle] < number { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Lets go of the closed front, and of closed ones behind an open one that stays: only when that is cheap for what
    /// it frees.
    private mutating func trim() {
        while head < entries.count, entries[head] == nil { head += 1 }
        if head == entries.count {
            entries.removeAll(keepingCapacity: true)
            numbers.removeAll(keepingCapacity: true)
            head = 0
        } else if entries.count - openCount > 1024, openCount < entries.count / 2 {
            let kept = (head..<entries.count).filter { entries[$0] != nil }
            entries = kept.map { entries[$0] }
            numbers = kept.map { numbers[$0] }
            head = 0
        }
    }
}
