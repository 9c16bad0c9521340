// SPDX-License-Identifier: Apache-2.0
package import Wire

/// A bucket: whole objects under flat names, read-after-write consistent, with writes that can depend on what is there.
/// It asks of a store no more than block-over-object.md §3.9 allows us to rely on. Every store passes
/// Tests/ObjectStoreConformance before it is used.
///
/// All calls may run at the same time from any task. A call that throws `ambiguous` may still take effect later.
package protocol ObjectStore: Sendable {
    /// Which bucket this is, for people and logs; never holds a secret.
    var location: String { get }

    /// Stores the object durably, or changes nothing. `matches` on a missing object throws `notFound`: the caller must
    /// never take that for permission to create it.
    func put(_ key: ObjectKey, _ bytes: [UInt8], _ precondition: WritePrecondition) async throws(ObjectStoreError)
        -> EntityTag

    /// The whole object; never part of it.
    func get(_ key: ObjectKey) async throws(ObjectStoreError) -> ObjectContents

    /// Exactly these bytes. An object that ends before them throws `corrupt`: a short body is never passed on.
    func getRange(_ key: ObjectKey, byteOffset: UInt64, byteCount: Int) async throws(ObjectStoreError) -> [UInt8]

    /// The object's size in bytes.
    func byteCount(of key: ObjectKey) async throws(ObjectStoreError) -> UInt64

    /// Afterwards the object is gone for good; a missing one is not an error.
    func delete(_ key: ObjectKey) async throws(ObjectStoreError)

    /// At most `limit` keys that begin with `prefix` after `after`, each once, those of one folder in byte order, whole
    /// folders in the store's order (SeaweedFS lists `b/c` before `b-c`). A listing finds things for people
    /// and for clearing up; no decision about what a volume holds may rest on it.
    func list(prefix: String, after: ObjectKey?, limit: Int) async throws(ObjectStoreError) -> ObjectPage
}

/// One version of an object, whole.
package struct ObjectContents: Equatable, Sendable {
    package var bytes: [UInt8]
    package var tag: EntityTag
    package init(bytes: [UInt8], tag: EntityTag) {
        self.bytes = bytes
        self.tag = tag
    }
}

/// Part of a listing. The next part starts after the last key of this one.
package struct ObjectPage: Equatable, Sendable {
    package var keys: [ObjectKey]
    /// No further keys follow.
    package var isLast: Bool
    package init(keys: [ObjectKey], isLast: Bool) {
        self.keys = keys
        self.isLast = isLast
    }
}
