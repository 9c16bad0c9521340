// SPDX-License-Identifier: Apache-2.0
import NIOHTTP1
package import ObjectStorage
import Synchronization
package import Wire

/// A bucket of an S3 store. What it needs of the store is what `ConsistencyProbe` tries.
///
/// Objects are written in one PUT each, with a CRC-32C that the store checks; nothing of ours is larger than S3 takes.
package final class S3ObjectStore: ObjectStore {
    package let location: String
    private let address: S3Address
    private let client: S3Client
    private let access: BucketAccess
    /// Whether `If-Match` takes a tag only without its quotes, as Ceph's RGW does; found out when a condition fails
    /// although it holds.
    private let takesBareTags = Atomic<Bool>(false)

    package init(
        bucket: String, prefix: String = "", settings: S3Settings, access: BucketAccess = .readWrite,
        credentials: CredentialsSource
    ) throws(ObjectStoreError) {
        address = S3Address(bucket: bucket, prefix: prefix, settings: settings)
        location = "s3://\(bucket) at \(address.endpoint)"
        client = try S3Client(address.endpoint, settings: settings, credentials: credentials)
        self.access = access
    }

    package func put(
        _ key: ObjectKey, _ bytes: [UInt8], _ precondition: WritePrecondition
    ) async throws(ObjectStoreError) -> EntityTag {
        try checkWrite(key)
        switch precondition {
        case .none: return try await put(key, bytes, condition: nil)
        case .absent: return try await put(key, bytes, condition: ("if-none-match", "*"))
        case .matches(let tag): return try await replace(key, bytes, tag)
        }
    }

    private func replace(
        _ key: ObjectKey, _ bytes: [UInt8], _ tag: EntityTag
    ) async throws(ObjectStoreError) -> EntityTag {
        let isBare = takesBareTags.load(ordering: .relaxed)
        do {
            return try await put(key, bytes, condition: ("if-match", isBare ? tag.value : "\"\(tag)\""))
        } catch {
            guard error == .preconditionFailed(key), !isBare else { throw error }
            // The condition holds, so it was not understood: asked once more in the other spelling, it is still the
            // store that decides.
            guard try await head(key).entityTag == tag else { throw error }
            let stored = try await put(key, bytes, condition: ("if-match", tag.value))
            takesBareTags.store(true, ordering: .relaxed)
            return stored
        }
    }

    private func put(
        _ key: ObjectKey, _ bytes: [UInt8], condition: (name: String, value: String)?
    ) async throws(ObjectStoreError) -> EntityTag {
        var request = S3Request(method: .PUT, path: address.path(of: key), key: key)
        request.body = bytes
        request.headers = [(S3Checksum.headerName, S3Checksum.text(of: bytes))]
        if let condition { request.headers.append(condition) }
        // A store that does not say what it stored may have stored it.
        guard let tag = try await client.send(request).entityTag else { throw .ambiguous(key, .replyLost) }
        return tag
    }

    package func get(_ key: ObjectKey) async throws(ObjectStoreError) -> ObjectContents {
        try ObjectKeyRules.check(key)
        var request = S3Request(method: .GET, path: address.path(of: key), key: key)
        request.headers = [("x-amz-checksum-mode", "ENABLED")]
        let response = try await client.send(request)
        if let length = response.contentByteCount, length != UInt64(response.body.count) {
            throw .corrupt(key, .short(expected: length, found: UInt64(response.body.count)))
        }
        guard S3Checksum.isRight(response) else { throw .corrupt(key, .checksum) }
        guard let tag = response.entityTag else { throw .corrupt(key, .noEntityTag) }
        return ObjectContents(bytes: response.body, tag: tag)
    }

    package func getRange(
        _ key: ObjectKey, byteOffset: UInt64, byteCount: Int
    ) async throws(ObjectStoreError) -> [UInt8] {
        precondition(byteCount >= 0)
        try ObjectKeyRules.check(key)
        guard byteCount > 0 else {
            // HTTP has no empty range; what there is to find out is whether the object is long enough.
            let size = try await self.byteCount(of: key)
            guard size >= byteOffset else { throw .corrupt(key, .short(expected: byteOffset, found: size)) }
            return []
        }
        let last = byteOffset + UInt64(byteCount) - 1
        var request = S3Request(method: .GET, path: address.path(of: key), key: key)
        request.headers = [("range", "bytes=\(byteOffset)-\(last)")]
        request.expectedByteCount = byteCount
        let response: S3Response
        do {
            response = try await client.send(request)
        } catch {
            guard case .corrupt(_, .short) = error else { throw error }
            throw .corrupt(key, .short(expected: UInt64(byteCount), found: 0))
        }
        let range = response.headers.first(name: "content-range") ?? ""
        guard response.status == .partialContent, range.hasPrefix("bytes \(byteOffset)-") else {
            throw .corrupt(key, .otherRange(range.isEmpty ? "status \(response.status.code)" : range))
        }
        guard response.body.count == byteCount else {
            throw .corrupt(key, .short(expected: UInt64(byteCount), found: UInt64(response.body.count)))
        }
        return response.body
    }

    package func byteCount(of key: ObjectKey) async throws(ObjectStoreError) -> UInt64 {
        try ObjectKeyRules.check(key)
        guard let count = try await head(key).contentByteCount else { throw .corrupt(key, .noLength) }
        return count
    }

    package func delete(_ key: ObjectKey) async throws(ObjectStoreError) {
        try checkWrite(key)
        do {
            _ = try await client.send(S3Request(method: .DELETE, path: address.path(of: key), key: key))
        } catch {
            if case .notFound = error { return }
            throw error
        }
    }

    package func list(prefix: String, after: ObjectKey?, limit: Int) async throws(ObjectStoreError) -> ObjectPage {
        try ObjectKeyRules.check(prefix: prefix)
        var start = after.map { address.keyPrefix + $0.name }
        while true {
            let page = try await page(prefix: address.keyPrefix + prefix, after: start, limit: limit)
            // Names that cannot be ours are somebody else's objects; a page may hold nothing else.
            let names = page.keys.map { String($0.dropFirst(address.keyPrefix.count)) }
            let keys = names.filter { ObjectKeyRules.fault(in: $0) == nil }.map { ObjectKey($0) }
            guard keys.isEmpty, page.isTruncated, let last = page.keys.last else {
                return ObjectPage(keys: keys, isLast: !page.isTruncated)
            }
            start = last
        }
    }

    private func page(prefix: String, after: String?, limit: Int) async throws(ObjectStoreError) -> S3XML.Listing {
        var request = S3Request(method: .GET, path: address.bucketRootPath, key: nil)
        request.query = [("list-type", "2"), ("max-keys", String(min(limit, 1000))), ("prefix", prefix)]
        if let after { request.query.append(("start-after", after)) }
        guard let listing = S3XML.listing(try await client.send(request).body) else {
            throw .unavailable(.serverFailed(status: 200, code: "a listing that cannot be read"))
        }
        return listing
    }

    private func head(_ key: ObjectKey) async throws(ObjectStoreError) -> S3Response {
        try await client.send(S3Request(method: .HEAD, path: address.path(of: key), key: key))
    }

    private func checkWrite(_ key: ObjectKey) throws(ObjectStoreError) {
        try ObjectKeyRules.check(key)
        guard access == .readWrite else { throw .refused(.readOnlyAccess) }
    }
}
