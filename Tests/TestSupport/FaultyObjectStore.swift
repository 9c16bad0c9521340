// SPDX-License-Identifier: Apache-2.0
package import ObjectStorage
import Synchronization
package import Wire

/// A store that fails as real ones do: late, twice, not at all, or with success that nobody hears of. Which call fails
/// how is drawn from the seed in the order of the calls, so a single-threaded test repeats from its seed alone.
package final class FaultyObjectStore: ObjectStore {
    /// How likely each fault is, 0...1. At most one strikes a call.
    package struct Rates: Sendable {
        /// Nothing happened.
        package var unavailable = 0.0
        /// The write happened and its answer was lost.
        package var lostReply = 0.0
        /// The answer says that it is unknown, and nothing happened.
        package var lostRequest = 0.0
        /// 409 on a conditional write, which did not happen.
        package var conflict = 0.0
        /// A read that the store noticed to be short.
        package var shortBody = 0.0
        /// A call takes this many turns of the scheduler longer.
        package var latencyTurns: ClosedRange<Int> = 0...0
        package init() {}
    }

    /// Ways in which a store can break its word without an error; `ConsistencyProbe` and the readers must notice.
    package struct Breakage: OptionSet, Sendable {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }
        package static let ignoresAbsent = Breakage(rawValue: 1)
        package static let ignoresMatches = Breakage(rawValue: 2)
        /// Conditions are decided first and the write done later, so several writers win a race.
        package static let decidesTooEarly = Breakage(rawValue: 4)
        /// Reads give the version before the newest.
        package static let readsOldVersions = Breakage(rawValue: 8)
        package static let cutsRanges = Breakage(rawValue: 16)
        package static let cutsObjects = Breakage(rawValue: 32)
        package static let keepsDeleted = Breakage(rawValue: 64)
        package static let listsNothing = Breakage(rawValue: 128)
        package static let flipsBits = Breakage(rawValue: 256)
        /// Each page of a listing is the first one.
        package static let listsFromTheStart = Breakage(rawValue: 512)
    }

    package var location: String { "faulty " + store.location }
    private let store: any ObjectStore
    private let state: Mutex<State>
    private let breakage: Breakage

    private struct State {
        var random: SeededRandom
        var rates: Rates
        var callCount = 0
        var faultCount = 0
        var previous: [ObjectKey: ObjectContents] = [:]
    }

    private enum Fault { case unavailable, lostReply, lostRequest, conflict, shortBody }

    package init(_ store: any ObjectStore, seed: UInt64, rates: Rates = Rates(), breakage: Breakage = []) {
        self.store = store
        self.breakage = breakage
        state = Mutex(State(random: SeededRandom(seed: seed), rates: rates))
    }

    package func setRates(_ rates: Rates) { state.withLock { $0.rates = rates } }
    package var callCount: Int { state.withLock { $0.callCount } }
    package var faultCount: Int { state.withLock { $0.faultCount } }

    package func put(
        _ key: ObjectKey, _ bytes: [UInt8], _ precondition: WritePrecondition
    ) async throws(ObjectStoreError) -> EntityTag {
        let fault = await nextFault()
        switch fault {
        case .unavailable: throw .unavailable(.overloaded())
        case .lostRequest: throw .ambiguous(key, .timedOut(afterMilliseconds: 1000))
        case .conflict where precondition != .none: throw .conflict(key)
        case .lostReply, .conflict, .shortBody, nil: break
        }
        if breakage.contains(.readsOldVersions), let current = try? await store.get(key) {
            state.withLock { $0.previous[key] = current }
        }
        let tag = try await store.put(key, bytes, try await effective(precondition, key))
        if fault == .lostReply { throw .ambiguous(key, .replyLost) }
        return tag
    }

    package func get(_ key: ObjectKey) async throws(ObjectStoreError) -> ObjectContents {
        try await strike(reading: key)
        do {
            var contents = try await store.get(key)
            if breakage.contains(.readsOldVersions), let previous = state.withLock({ $0.previous[key] }) {
                contents = previous
            }
            if breakage.contains(.cutsObjects) { contents.bytes.removeLast(contents.bytes.count / 2) }
            contents.bytes = damaged(contents.bytes)
            return contents
        } catch {
            let kept = state.withLock { $0.previous[key] }
            if breakage.contains(.keepsDeleted), error == .notFound(key), let kept { return kept }
            throw error
        }
    }

    package func getRange(
        _ key: ObjectKey, byteOffset: UInt64, byteCount: Int
    ) async throws(ObjectStoreError) -> [UInt8] {
        try await strike(reading: key)
        guard breakage.contains(.cutsRanges) else {
            return damaged(try await store.getRange(key, byteOffset: byteOffset, byteCount: byteCount))
        }
        let whole = try await store.get(key).bytes
        return Array(whole.dropFirst(Int(byteOffset)).prefix(byteCount))
    }

    package func byteCount(of key: ObjectKey) async throws(ObjectStoreError) -> UInt64 {
        try await strike(reading: key)
        return try await store.byteCount(of: key)
    }

    package func delete(_ key: ObjectKey) async throws(ObjectStoreError) {
        let fault = await nextFault()
        switch fault {
        case .unavailable: throw .unavailable(.overloaded())
        case .lostRequest: throw .ambiguous(key, .timedOut(afterMilliseconds: 1000))
        case .lostReply, .conflict, .shortBody, nil: break
        }
        if breakage.contains(.keepsDeleted), let current = try? await store.get(key) {
            state.withLock { $0.previous[key] = current }
        }
        try await store.delete(key)
        if fault == .lostReply { throw .ambiguous(key, .replyLost) }
    }

    package func list(prefix: String, after: ObjectKey?, limit: Int) async throws(ObjectStoreError) -> ObjectPage {
        if await nextFault() == .unavailable { throw .unavailable(.overloaded()) }
        if breakage.contains(.listsNothing) { return ObjectPage(keys: [], isLast: true) }
        let start = breakage.contains(.listsFromTheStart) ? nil : after
        return try await store.list(prefix: prefix, after: start, limit: limit)
    }

    private func strike(reading key: ObjectKey) async throws(ObjectStoreError) {
        switch await nextFault() {
        case .unavailable, .lostReply, .lostRequest: throw .unavailable(.replyLost)
        case .shortBody: throw .corrupt(key, .short(expected: 4096, found: 17))
        case .conflict, nil: break
        }
    }

    private func damaged(_ bytes: [UInt8]) -> [UInt8] {
        guard breakage.contains(.flipsBits), !bytes.isEmpty else { return bytes }
        var bytes = bytes
        let bit = state.withLock { Int($0.random.next() % UInt64(bytes.count * 8)) }
        bytes[bit / 8] ^= 1 << UInt8(bit % 8)
        return bytes
    }

    private func effective(
        _ precondition: WritePrecondition, _ key: ObjectKey
    ) async throws(ObjectStoreError) -> WritePrecondition {
        switch precondition {
        case .none: return .none
        case .absent where breakage.contains(.ignoresAbsent), .matches where breakage.contains(.ignoresMatches):
            return .none
        case .absent, .matches:
            guard breakage.contains(.decidesTooEarly) else { return precondition }
            let found = try? await store.get(key)
            switch precondition {
            case .absent where found != nil: throw .preconditionFailed(key)
            case .matches(let tag) where found?.tag != tag: throw .preconditionFailed(key)
            case .none, .absent, .matches: break
            }
            // Room for the others to be let through as well.
            for _ in 0..<200 { await Task.yield() }
            return .none
        }
    }

    private func nextFault() async -> Fault? {
        let (fault, turns) = state.withLock { state -> (Fault?, Int) in
            state.callCount += 1
            let rates = state.rates
            let turns = Int.random(in: rates.latencyTurns, using: &state.random)
            var roll = Double.random(in: 0..<1, using: &state.random)
            let candidates: [(Double, Fault)] = [
                (rates.unavailable, .unavailable), (rates.lostReply, .lostReply), (rates.lostRequest, .lostRequest),
                (rates.conflict, .conflict), (rates.shortBody, .shortBody),
            ]
            for (rate, fault) in candidates {
                if roll < rate {
                    state.faultCount += 1
                    return (fault, turns)
                }
                roll -= rate
            }
            return (nil, turns)
        }
        for _ in 0..<turns { await Task.yield() }
        return fault
    }
}
