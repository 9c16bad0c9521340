// SPDX-License-Identifier: Apache-2.0
import Engine
import ObjectStorage
import ServiceKit
import Wire

/// The image that an export reads, found in the bucket and nowhere else.
struct ExportSource: Sendable {
    /// For messages.
    var title: String
    var root: ImageRoot
    var byteCount: UInt64
    var cutMilliseconds: UInt64

    private init(title: String, head: Head) {
        self.title = title
        root = head.root
        byteCount = head.byteCount
        cutMilliseconds = head.cutMilliseconds
    }

    /// Refuses a bucket whose format this program does not know.
    static func check(_ store: any ObjectStore) async throws {
        do {
            _ = try await record(BucketLayout.format, in: store, FormatMarker.init(decoding:))
        } catch ObjectStoreError.notFound {
            throw ServiceFailure(
                .badData,
                "\(store.location) holds nothing of Sluice: it has no object \(BucketLayout.format); check the URL "
                    + "and --prefix")
        } catch EngineError.newerFormat(_, let version) {
            throw ServiceFailure(
                .configuration,
                "\(store.location) has format \(version), this program knows \(BucketLayout.formatVersion); "
                    + "use a newer version of sluice")
        } catch let error as EngineError {
            throw ServiceFailure(.badData, "\(store.location): \(BucketLayout.format) cannot be read: \(error)")
        }
    }

    /// Bits flip on the way: what cannot be decoded is read again.
    private static func record<Record>(
        _ key: ObjectKey, in store: any ObjectStore, _ decode: ([UInt8]) throws(EngineError) -> Record
    ) async throws -> Record {
        for _ in 1..<ImageReader.attempts {
            let bytes = try await store.get(key).bytes
            if let record = try? decode(bytes) { return record }
        }
        return try decode(try await store.get(key).bytes)
    }

    static func snapshot(_ id: SnapshotID, in store: any ObjectStore) async throws -> ExportSource {
        do {
            let record = try await record(BucketLayout.snapshot(id), in: store, SnapshotFormat.decode)
            guard record.state == .completed, let head = record.head else {
                let reason = record.reason.map { ": \($0)" } ?? ""
                let state =
                    record.state == .deleting ? "was deleted" : "is not complete (\(record.state.rawValue)\(reason))"
                throw ServiceFailure(.badData, "snapshot \(id) of \(record.volumeName) \(state)")
            }
            return ExportSource(title: "snapshot \(id) of \(record.volumeName)", head: head)
        } catch ObjectStoreError.notFound {
            throw ServiceFailure(.badData, "\(store.location) holds no snapshot \(id)")
        } catch let error as EngineError {
            throw damaged("snapshot \(id)", error)
        }
    }

    static func volume(_ reference: String, in store: any ObjectStore) async throws -> ExportSource {
        if let id = VolumeID(reference) {
            guard let head = try await head(of: id, in: store) else {
                throw ServiceFailure(.badData, "\(store.location) holds no volume \(id)")
            }
            guard head.state == .live else { throw deleted([head]) }
            return ExportSource(title: "volume \(head.name) (\(id))", head: head)
        }
        let all = try await volumes(in: store)
        let named = all.filter { $0.name == reference }
        // A name may come again after its volume was deleted; the one that lives is meant.
        let candidates = named.filter { $0.state == .live }
        if candidates.isEmpty, !named.isEmpty { throw deleted(named) }
        guard let found = candidates.first else {
            let names = all.filter { $0.state == .live }.map { "\($0.name) (\($0.volume))" }.sorted().joined(
                separator: ", ")
            throw ServiceFailure(
                .badData,
                "\(store.location) holds no volume \"\(reference)\"; it has \(names.isEmpty ? "none" : names)")
        }
        guard candidates.count == 1 else {
            let ids = candidates.map { "\($0.volume)" }.joined(separator: ", ")
            throw ServiceFailure(.usage, "several volumes are named \"\(reference)\": give one of the ids \(ids)")
        }
        return ExportSource(title: "volume \(found.name) (\(found.volume))", head: found)
    }

    private static func volumes(in store: any ObjectStore) async throws -> [Head] {
        var heads: [Head] = []
        for id in try await store.folders(below: BucketLayout.volumesPrefix).compactMap({ VolumeID($0) }) {
            if let head = try await head(of: id, in: store) { heads.append(head) }
        }
        return heads
    }

    private static func head(of id: VolumeID, in store: any ObjectStore) async throws -> Head? {
        do {
            return try await record(BucketLayout.head(id), in: store, HeadFormat.decode)
        } catch ObjectStoreError.notFound {
            return nil
        } catch let error as EngineError {
            throw damaged("HEAD of volume \(id)", error)
        }
    }

    /// Its data goes with the next reclaim, so what can still be read of it may have holes.
    private static func deleted(_ heads: [Head]) -> ServiceFailure {
        let names = heads.map { "\($0.name) (\($0.volume))" }.joined(separator: ", ")
        return ServiceFailure(.badData, "volume \(names) was deleted; snapshots of it can be exported with --snapshot")
    }

    private static func damaged(_ what: String, _ error: EngineError) -> ServiceFailure {
        if case .newerFormat(_, let version) = error {
            return ServiceFailure(.configuration, "\(what) has format \(version); use a newer version of sluice")
        }
        return ServiceFailure(.badData, "\(what) is damaged: \(error)")
    }
}
