// SPDX-License-Identifier: Apache-2.0
import Engine
import Platform
import Wire

/// Drives a volume with a disk and a bucket in memory, which do all at once and without faults, except for what a test
/// keeps back.
final class VolumeHarness {
    static let id = VolumeID(rawValue: 0xabc)

    private(set) var volume: Volume
    let limits: EngineLimits
    private var nanoseconds: UInt64 = 1_000_000_000
    private(set) var segments: [SegmentID: [UInt8]] = [:]
    private(set) var objects: [ObjectKey: StoredObject] = [:]
    private(set) var state: LocalState?
    private var versions = 0
    private var nextNumber: UInt64 = 0
    private var nextCaller: UInt64 = 0

    /// What is not done until `release`.
    var keepsBack: (Effect) -> Bool = { _ in false }
    private(set) var keptBack: [Effect] = []
    private(set) var replies: [RequestOrigin: [VolumeReply]] = [:]
    private(set) var finished: [CallerToken: Result<Head, VolumeFailure>] = [:]
    private(set) var provisioning: [CallerToken: Result<[ProvisionedRange], ProvisioningFailure>] = [:]
    private(set) var passedBarriers: Set<CallerToken> = []
    private(set) var settingsInEffect: [HeadSettings] = []
    private(set) var frameCount = 0

    static var limits: EngineLimits {
        var limits = EngineLimits()
        limits.segmentByteCount = 1 << 20
        limits.commandByteCount = 128 << 10
        limits.recordByteCount = 128 << 10
        limits.bufferByteCount = 16 << 20
        return limits
    }

    static func head(byteCount: UInt64 = 1 << 30) -> Head {
        Head(
            volume: id, name: "data", targetName: "iqn.2026-01.org.example:data", byteCount: byteCount,
            createdMilliseconds: 1, durability: "onFlush", compressionLevel: 1, commitIntervalSeconds: 10,
            uploadBufferByteCount: 16 << 20, lineage: 1, owner: GatewayID(rawValue: 1),
            commit: CommitID(high: 1, low: 2), cutMilliseconds: 1)
    }

    init(head: Head = head(), limits: EngineLimits = VolumeHarness.limits) {
        self.limits = limits
        volume = Volume(
            .create(head), limits: limits, seed: 1, at: EngineTime(nanoseconds: 1_000_000_000, wallMilliseconds: 5))
        settle()
    }

    // MARK: Time

    var time: EngineTime { EngineTime(nanoseconds: nanoseconds, wallMilliseconds: nanoseconds / 1_000_000) }

    /// Lets time pass and everything happen that follows from it.
    func pass(seconds: UInt64) {
        let end = nanoseconds + seconds * 1_000_000_000
        while let due = volume.nextDeadline, due <= end {
            nanoseconds = max(nanoseconds + 1, due)
            volume.advance(to: time)
            settle()
        }
        nanoseconds = end
        volume.advance(to: time)
        settle()
    }

    /// The process dies; what was done is done, and another one opens the volume.
    func restart() throws {
        guard let state else { preconditionFailure("nothing to restart from") }
        let journal = try RecoveredJournal.recover(
            volume: Self.id, committed: state.head.journalSequence, segments: segments.keys.sorted(), store: self,
            limits: limits)
        keptBack = []
        volume = Volume(.resume(state, journal), limits: limits, seed: 2, at: time)
        settle()
        pass(seconds: 3)
    }

    /// Another machine, which has nothing of the volume, takes it over.
    func takeOver() throws {
        let object = objects[BucketLayout.head(Self.id)]
        guard let object else { preconditionFailure("nothing to take over") }
        segments = [:]
        state = nil
        keptBack = []
        volume = Volume(
            .takeOver(try HeadFormat.decode(object.bytes), object.tag, by: GatewayID(rawValue: 2)), limits: limits,
            seed: 3, at: time)
        settle()
    }

    // MARK: Requests

    @discardableResult
    func send(
        _ command: VolumeCommand, _ payload: [UInt8] = [], nexus: UInt64 = 1, forceUnitAccess: Bool = false
    ) -> RequestOrigin {
        nextNumber += 1
        let origin = RequestOrigin(frontend: ServiceInstance(rawValue: 9), number: nextNumber)
        send(command, payload, as: origin, nexus: nexus, forceUnitAccess: forceUnitAccess)
        return origin
    }

    func send(
        _ command: VolumeCommand, _ payload: [UInt8] = [], as origin: RequestOrigin, nexus: UInt64 = 1,
        forceUnitAccess: Bool = false
    ) {
        let request = VolumeRequest(
            origin: origin, lowestOpenNumber: 1, nexus: nexus, command: command, forceUnitAccess: forceUnitAccess)
        unsafe payload.withUnsafeBytes { unsafe volume.submit(request, payload: $0, at: time) }
        volume.endOfBatch(at: time)
        settle()
    }

    func lastReply(to origin: RequestOrigin) -> String? {
        replies[origin]?.last.map { reply in
            switch reply {
            case .data(let buffer): "data \(buffer.byteCount)"
            default: "\(reply)"
            }
        }
    }

    func read(_ sectors: SectorRange) -> [UInt8]? {
        guard case .data(let buffer) = replies[send(.read(sectors))]?.last else { return nil }
        return buffer.array
    }

    // MARK: Calls

    func call(_ body: (Volume, CallerToken, EngineTime) -> Void) -> CallerToken {
        nextCaller += 1
        let caller = CallerToken(rawValue: nextCaller)
        body(volume, caller, time)
        settle()
        return caller
    }

    @discardableResult
    func commit() -> CallerToken { call { $0.commit(caller: $1, at: $2) } }

    func amend(_ change: HeadChange) -> CallerToken { call { $0.amend(change, caller: $1, at: $2) } }

    func stored(from sector: UInt64, limit: Int = 100) -> [ProvisionedRange]? {
        let caller = call { $0.provisioning(from: sector, descriptorLimit: limit, caller: $1, at: $2) }
        return try? provisioning[caller]?.get()
    }

    // MARK: Effects

    func release() {
        let effects = keptBack
        keptBack = []
        keepsBack = { _ in false }
        for effect in effects { perform(effect) }
        settle()
    }

    func settle() {
        var effects: [Effect] = []
        while true {
            effects.removeAll()
            volume.takeEffects(&effects)
            if effects.isEmpty { return }
            for effect in effects {
                if keepsBack(effect) { keptBack.append(effect) } else { perform(effect) }
            }
        }
    }

    private func perform(_ effect: Effect) {
        switch effect {
        case .reply(let origin, let reply): replies[origin, default: []].append(reply)
        case .finished(let caller, let result): finished[caller] = result
        case .provisioning(let caller, let result): provisioning[caller] = result
        case .barrierPassed(let caller): passedBarriers.insert(caller)
        case .settingsChanged(let head): settingsInEffect.append(head.settings)
        case .reservePack(let token): handle(.packReserved(token))
        case .prepareSegment, .writeSegment, .syncSegments, .readSegment, .readSegments, .saveState:
            performDisk(effect)
        case .putPack, .putObject, .getObject, .getRange, .getFrame, .getNode, .warmFrame: performBucket(effect)
        case .releasePack, .hastenNode, .keepNodes, .cutDurable, .report: break
        }
    }

    private func handle(_ event: EngineEvent) { volume.handle(event, at: time) }

    private func performDisk(_ effect: Effect) {
        switch effect {
        case .prepareSegment(let token, let id, let old):
            segments[id] =
                old.flatMap { segments.removeValue(forKey: $0) }
                ?? [UInt8](repeating: 0, count: limits.segmentByteCount)
            handle(.segmentPrepared(token, .success(())))
        case .writeSegment(let token, let id, let byteOffset, let buffer, let byteCount):
            segments[id]?.replaceSubrange(byteOffset..<byteOffset + byteCount, with: buffer.array(0..<byteCount))
            handle(.diskWrite(token, .success(())))
        case .syncSegments(let token, _): handle(.diskWrite(token, .success(())))
        case .readSegment(let token, let id, let byteOffset, let byteCount, let buffer, let bufferOffset):
            copy(id, byteOffset, byteCount, to: buffer, bufferOffset)
            handle(.diskRead(token, .success(())))
        case .readSegments(let token, let reads, let buffer):
            for read in reads { copy(read.segment, read.byteOffset, read.byteCount, to: buffer, read.bufferOffset) }
            handle(.diskRead(token, .success(())))
        case .saveState(let token, let state):
            self.state = state
            handle(.diskWrite(token, .success(())))
        default: break
        }
    }

    private func copy(_ id: SegmentID, _ byteOffset: Int, _ byteCount: Int, to buffer: IOBuffer, _ bufferOffset: Int) {
        guard let bytes = segments[id] else { return }
        unsafe bytes[byteOffset..<byteOffset + byteCount].withUnsafeBytes { unsafe buffer.copy($0, to: bufferOffset) }
    }

    private func performBucket(_ effect: Effect) {
        switch effect {
        case .putPack(let token, let key, let plan, let blocks):
            do {
                let built = try unsafe PackBuilder().build(plan: plan, blocks: UnsafeRawBufferPointer(blocks.bytes))
                _ = put(key, built.bytes, .absent)
                let pack = StoredPack(reference: built.reference, directory: built.directory)
                handle(.packStored(token, .success(pack)))
            } catch {
                handle(.packStored(token, .failure(.corrupt("\(error)"))))
            }
        case .putObject(let token, let key, let bytes, let precondition):
            handle(.objectStored(token, put(key, bytes, precondition)))
        case .getObject(let token, let key):
            handle(.object(token, objects[key].map { .success($0) } ?? .failure(.notFound)))
        case .getRange(let token, let key, let byteOffset, let byteCount):
            handle(.range(token, range(key, Int(byteOffset), byteCount)))
        case .getNode(let token, let node, _):
            handle(.node(token, range(node.key, Int(node.byteOffset), Int(node.byteCount)), from: .bucket))
        case .getFrame(let token, let frame, _):
            frameCount += 1
            let bytes = range(frame.key, Int(frame.byteOffset), Int(frame.byteCount))
            let contents = bytes.flatMap { bytes -> Result<FrameContents, BucketFailure> in
                do { return .success(try FrameFormat.decode(bytes, expecting: nil, codec: ZstdCodec())) } catch {
                    return .failure(.corrupt("\(error)"))
                }
            }
            handle(.frame(token, contents, from: .bucket))
        case .warmFrame(let token, _): handle(.frameWarmed(token, .failure(.notFound)))
        default: break
        }
    }

    private func put(
        _ key: ObjectKey, _ bytes: [UInt8], _ precondition: WritePrecondition
    ) -> Result<EntityTag, BucketFailure> {
        switch precondition {
        case .none: break
        case .absent: if objects[key] != nil { return .failure(.preconditionFailed) }
        case .matches(let tag): if objects[key]?.tag != tag { return .failure(.preconditionFailed) }
        }
        versions += 1
        let tag = EntityTag("v\(versions)")
        objects[key] = StoredObject(bytes: bytes, tag: tag)
        return .success(tag)
    }

    private func range(_ key: ObjectKey, _ byteOffset: Int, _ byteCount: Int) -> Result<[UInt8], BucketFailure> {
        guard let object = objects[key] else { return .failure(.notFound) }
        return .success(Array(object.bytes[byteOffset..<byteOffset + byteCount]))
    }

    func storedHead() throws -> Head? {
        try objects[BucketLayout.head(Self.id)].map { try HeadFormat.decode($0.bytes) }
    }
}

extension VolumeHarness: SegmentStore {
    func read(_ segment: SegmentID, byteOffset: Int, byteCount: Int, into buffer: IOBuffer) throws(SystemError) {
        guard segments[segment] != nil else { throw SystemError(errorNumber: 2, call: "open") }
        copy(segment, byteOffset, byteCount, to: buffer, 0)
    }
    func write(_ segment: SegmentID, byteOffset: Int, _ buffer: IOBuffer) throws(SystemError) {
        segments[segment]?.replaceSubrange(byteOffset..<byteOffset + buffer.byteCount, with: buffer.array)
    }
    func sync(_ segment: SegmentID) throws(SystemError) {}
}

/// Bytes for tests.
func sectors(_ count: Int, of byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: count * 512) }

extension Effect {
    var isHead: Bool {
        if case .putObject(_, BucketLayout.head(VolumeHarness.id), _, _) = self { true } else { false }
    }
    var isStateSave: Bool { if case .saveState = self { true } else { false } }
    var isJournalWrite: Bool { if case .writeSegment = self { true } else { false } }
    var isSync: Bool { if case .syncSegments = self { true } else { false } }
}
