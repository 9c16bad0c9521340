// SPDX-License-Identifier: Apache-2.0
import Engine
import Messages
import Platform
import Wire

/// A bucket in memory, answering jobs as an uploader with a sound store does.
final class MemoryBucket {
    private(set) var objects: [ObjectKey: (bytes: [UInt8], tag: EntityTag)] = [:]
    private let builder = PackBuilder()
    private let codec = ZstdCodec()
    private var version = 0
    private(set) var works: [UploadJob.Work] = []
    var workCount: Int { works.count }
    /// Called before a PUT of an object is looked at, as another writer may come in between.
    var willPut: ((ObjectKey, [UInt8]) -> Void)?
    /// What the next requests for a frame come to instead.
    var frameFailures: [UploadResult.Outcome] = []

    func put(_ key: ObjectKey, _ bytes: [UInt8]) { _ = store(key, bytes) }

    func head(_ volume: VolumeID) throws -> Head? {
        try objects[BucketLayout.head(volume)].map { try HeadFormat.decode($0.bytes) }
    }

    func perform(_ work: UploadJob.Work, payload: IOBuffer?) -> (outcome: UploadResult.Outcome, payloads: [[UInt8]]) {
        works.append(work)
        do {
            return try answer(work, payload: payload)
        } catch {
            return (.corrupt(reason: "\(error)"), [])
        }
    }

    private func answer(
        _ work: UploadJob.Work, payload: IOBuffer?
    ) throws -> (outcome: UploadResult.Outcome, payloads: [[UInt8]]) {
        switch work {
        case .putPack(let key, let plan):
            let blocks = payload ?? IOBuffer(byteCount: 0)
            let plan = try PackPlan(decoding: plan)
            let used = plan.blockCount * Geometry.blockByteCount
            let built = try unsafe builder.build(plan: plan, blocks: UnsafeRawBufferPointer(blocks.bytes(0..<used)))
            return (store(key, built.bytes), [built.directoryBytes])
        case .putObject(let key, let precondition):
            willPut?(key, payload?.array ?? [])
            switch precondition {
            case .absent where objects[key] != nil: return (.preconditionFailed, [])
            case .matches(let tag):
                guard let object = objects[key] else { return (.notFound, []) }
                if object.tag != tag { return (.preconditionFailed, []) }
            default: break
            }
            return (store(key, payload?.array ?? []), [])
        case .getObject(let key):
            guard let object = objects[key] else { return (.notFound, []) }
            return (.success(etag: object.tag, storedByteCount: UInt64(object.bytes.count)), [object.bytes])
        case .getRange(let key, let byteOffset, let byteCount):
            guard let object = objects[key] else { return (.notFound, []) }
            let range = Int(byteOffset)..<Int(byteOffset) + Int(byteCount)
            guard range.upperBound <= object.bytes.count else { return (.corrupt(reason: "short"), []) }
            return (.success(etag: object.tag, storedByteCount: UInt64(byteCount)), [Array(object.bytes[range])])
        case .getFrames where !frameFailures.isEmpty: return (frameFailures.removeFirst(), [])
        case .getFrames(let key, let byteOffset, let byteCounts):
            guard let object = objects[key] else { return (.notFound, []) }
            var (start, payloads): (Int, [[UInt8]]) = (Int(byteOffset), [])
            for count in byteCounts.map(Int.init) {
                guard start + count <= object.bytes.count else { return (.corrupt(reason: "short"), []) }
                payloads.append(
                    try FrameFormat.decode(object.bytes, in: start..<start + count, expecting: nil, codec: codec)
                        .encoded())
                start += count
            }
            return (.success(etag: object.tag, storedByteCount: UInt64(start) - byteOffset), payloads)
        case .listFolders(let prefix):
            let keys = objects.keys.map(\.name).filter { $0.hasPrefix(prefix) }
            let folders = Set(keys.compactMap { $0.dropFirst(prefix.count).split(separator: "/").first }).sorted()
            return (.success(etag: nil, storedByteCount: 0), [Array(folders.joined(separator: "\n").utf8)])
        case .probe: return (.success(etag: nil, storedByteCount: 0), [])
        }
    }

    private func store(_ key: ObjectKey, _ bytes: [UInt8]) -> UploadResult.Outcome {
        version += 1
        let tag = EntityTag("v\(version)")
        objects[key] = (bytes, tag)
        return .success(etag: tag, storedByteCount: UInt64(bytes.count))
    }
}
