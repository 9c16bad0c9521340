// SPDX-License-Identifier: Apache-2.0
import Platform
import Synchronization
package import Wire

/// What was asked of a bucket since the start, for metrics. Any thread may count or read.
package final class RequestMeter: Sendable {
    package enum Operation: String, Sendable, CaseIterable { case put, get, range, size, delete, list }

    /// How a request ended, as a metric's label.
    package enum Outcome: String, Sendable, CaseIterable {
        case success, preconditionFailed, conflict, notFound, ambiguous, unavailable, corrupt, refused
    }

    package struct Totals: Sendable {
        package fileprivate(set) var requests: [Operation: [Outcome: UInt64]] = [:]
        /// Time that requests of this kind took.
        package fileprivate(set) var latencies: [Operation: LatencyHistogram] = [:]
        package fileprivate(set) var uploadedByteCount: UInt64 = 0
        package fileprivate(set) var downloadedByteCount: UInt64 = 0
    }

    private let state = Mutex(Totals())
    package init() {}
    package var totals: Totals { state.withLock { $0 } }

    fileprivate func count(
        _ operation: Operation, _ outcome: Outcome, _ duration: Duration, uploaded: Int = 0, downloaded: Int = 0
    ) {
        state.withLock { totals in
            totals.requests[operation, default: [:]][outcome, default: 0] += 1
            totals.latencies[operation, default: LatencyHistogram()].record(
                nanoseconds: UInt64(max(0, duration.wholeNanoseconds)))
            totals.uploadedByteCount += UInt64(uploaded)
            totals.downloadedByteCount += UInt64(downloaded)
        }
    }
}

/// Counts every request that passes through, retries and failures included.
package struct MeteredObjectStore: ObjectStore {
    package var location: String { store.location }
    private let store: any ObjectStore
    private let meter: RequestMeter

    package init(_ store: any ObjectStore, meter: RequestMeter) {
        self.store = store
        self.meter = meter
    }

    package func put(
        _ key: ObjectKey, _ bytes: [UInt8], _ precondition: WritePrecondition
    ) async throws(ObjectStoreError) -> EntityTag {
        try await measured(.put, uploaded: bytes.count) { () throws(ObjectStoreError) in
            (try await store.put(key, bytes, precondition), 0)
        }
    }

    package func get(_ key: ObjectKey) async throws(ObjectStoreError) -> ObjectContents {
        try await measured(.get) { () throws(ObjectStoreError) in
            let contents = try await store.get(key)
            return (contents, contents.bytes.count)
        }
    }

    package func getRange(
        _ key: ObjectKey, byteOffset: UInt64, byteCount: Int
    ) async throws(ObjectStoreError) -> [UInt8] {
        try await measured(.range) { () throws(ObjectStoreError) in
            (try await store.getRange(key, byteOffset: byteOffset, byteCount: byteCount), byteCount)
        }
    }

    package func byteCount(of key: ObjectKey) async throws(ObjectStoreError) -> UInt64 {
        try await measured(.size) { () throws(ObjectStoreError) in (try await store.byteCount(of: key), 0) }
    }

    package func delete(_ key: ObjectKey) async throws(ObjectStoreError) {
        try await measured(.delete) { () throws(ObjectStoreError) in (try await store.delete(key), 0) }
    }

    package func list(prefix: String, after: ObjectKey?, limit: Int) async throws(ObjectStoreError) -> ObjectPage {
        try await measured(.list) { () throws(ObjectStoreError) in
            (try await store.list(prefix: prefix, after: after, limit: limit), 0)
        }
    }

    /// - Parameter request: returns its value and the bytes that came with it.
    private func measured<Value: Sendable>(
        _ operation: RequestMeter.Operation, uploaded: Int = 0,
        _ request: () async throws(ObjectStoreError) -> (Value, Int)
    ) async throws(ObjectStoreError) -> Value {
        let start = ContinuousClock.now
        do {
            let (value, downloaded) = try await request()
            meter.count(operation, .success, start.duration(to: .now), uploaded: uploaded, downloaded: downloaded)
            return value
        } catch {
            meter.count(operation, RequestMeter.Outcome(error), start.duration(to: .now))
            throw error
        }
    }
}

extension RequestMeter.Outcome {
    fileprivate init(_ error: ObjectStoreError) {
        switch error {
        case .preconditionFailed: self = .preconditionFailed
        case .conflict: self = .conflict
        case .notFound: self = .notFound
        case .ambiguous: self = .ambiguous
        case .unavailable: self = .unavailable
        case .corrupt: self = .corrupt
        case .refused, .invalidKey: self = .refused
        }
    }
}
