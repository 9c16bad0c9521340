// SPDX-License-Identifier: Apache-2.0
package import Engine
package import Wire

/// The bucket: linearizable objects with entity tags and preconditions, as a store must have them (STORAGE §3). What
/// happens on the way to it is `StoreFaults`' business.
package struct SimulatedStore {
    /// How tags are made: some stores number versions, others hash the contents (equal bytes, equal tag).
    package enum TagStyle: CaseIterable { case numbered, hashed }

    private let tagStyle: TagStyle
    /// For one named test only: a store that claims preconditions and does not keep them.
    private let ignoresPreconditions: Bool
    private var objects: [ObjectKey: StoredObject] = [:]
    private var versions: UInt64 = 0
    package private(set) var putCount = 0

    package init(tagStyle: TagStyle, ignoresPreconditions: Bool = false) {
        self.tagStyle = tagStyle
        self.ignoresPreconditions = ignoresPreconditions
    }

    package subscript(_ key: ObjectKey) -> StoredObject? { objects[key] }

    package mutating func put(
        _ key: ObjectKey, _ bytes: [UInt8], _ precondition: WritePrecondition
    ) -> Result<EntityTag, BucketFailure> {
        if !ignoresPreconditions {
            switch precondition {
            case .none: break
            case .absent: if objects[key] != nil { return .failure(.preconditionFailed) }
            case .matches(let tag):
                guard let object = objects[key] else { return .failure(.notFound) }
                guard object.tag == tag else { return .failure(.preconditionFailed) }
            }
        }
        versions += 1
        putCount += 1
        let tag =
            switch tagStyle {
            case .numbered: EntityTag("v\(versions)")
            case .hashed: EntityTag(hexadecimal(UInt64(CRC32C.checksum(bytes)), digits: 8) + "-\(bytes.count)")
            }
        objects[key] = StoredObject(bytes: bytes, tag: tag)
        return .success(tag)
    }

    package func get(_ key: ObjectKey) -> Result<StoredObject, BucketFailure> {
        objects[key].map { .success($0) } ?? .failure(.notFound)
    }

    package func range(_ key: ObjectKey, byteOffset: UInt64, byteCount: Int) -> Result<[UInt8], BucketFailure> {
        guard let bytes = objects[key]?.bytes else { return .failure(.notFound) }
        guard byteOffset <= UInt64(bytes.count), UInt64(byteCount) <= UInt64(bytes.count) - byteOffset else {
            return .failure(.corrupt("short body"))
        }
        return .success(Array(bytes[Int(byteOffset)..<Int(byteOffset) + byteCount]))
    }

    package var keys: [ObjectKey] { objects.keys.sorted() }
}
