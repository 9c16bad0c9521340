// SPDX-License-Identifier: Apache-2.0
import Messages
import TestSupport
import Wire

/// Values of every type that travels, with random contents.
struct SchemaSamples {
    typealias Body = (kind: MessageKind, isReply: Bool, bytes: [UInt8])

    var random: SeededRandom

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    /// One encoded body of each kind, requests and replies.
    mutating func bodies() throws -> [Body] {
        var bodies: [Body] = []
        func add(_ kind: MessageKind, _ value: some Encodable, isReply: Bool = false) throws {
            bodies.append((kind, isReply, try MessageCoder.encode(value)))
        }
        try add(.hello, hello())
        try add(.hello, helloReply(), isReply: true)
        try add(.health, HealthRequest())
        try add(.health, health(), isReply: true)
        try add(.metrics, MetricsRequest())
        try add(.metrics, metrics(), isReply: true)
        try add(.volumeCreate, volumeCreate())
        try add(.volumeCreate, volume(), isReply: true)
        try add(.volumeCreateCheck, VolumeCreateCheckRequest(volumeCreate(), source: VolumeReference(text())))
        try add(.volumeCreateCheck, VolumeCreateCheckRequest.Reply(), isReply: true)
        try add(.volumeList, VolumeListRequest())
        try add(
            .volumeList, VolumeListRequest.Reply(volumes: (0..<random.below(4)).map { _ in volume() }), isReply: true)
        try add(.volumeSync, VolumeSyncRequest(volume: VolumeReference(text())))
        try add(.volumeSync, volume(), isReply: true)
        try add(
            .volumeDelete,
            VolumeDeleteRequest(volume: VolumeReference(text()), losesSnapshots: random.oneIn(2) ? true : nil))
        try add(.volumeDelete, VolumeDeleteRequest.Reply(id: VolumeID(rawValue: random.next())), isReply: true)
        try add(.volumeChange, volumeChange())
        try add(.volumeChange, volume(), isReply: true)
        try add(
            .volumeReservations,
            VolumeReservationsRequest(volume: VolumeReference(text()), clears: random.oneIn(2)))
        try add(.volumeReservations, reservations(), isReply: true)
        try add(.volumeDiscover, VolumeDiscoverRequest())
        try add(.volumeDiscover, discovered(), isReply: true)
        try add(.volumeAttach, attach())
        try add(.volumeAttach, volume(), isReply: true)
        try add(.volumeCut, cutRequest())
        try add(.volumeCut, cut(), isReply: true)
        let warm = VolumeWarmRequest(
            volume: VolumeReference(text()), byteOffset: random.oneIn(2) ? random.next() : nil,
            byteCount: random.next(),
            isCancelled: random.oneIn(2))
        try add(.volumeWarm, warm)
        try add(.volumeWarm, volume(), isReply: true)
        try add(.cacheShow, CacheShowRequest())
        try add(.cacheShow, cache(), isReply: true)
        try add(.cacheChange, CacheChangeRequest(.add(directory: text(), byteCount: random.next())))
        try add(.cacheChange, CacheChangeRequest(.remove(directory: text())))
        try add(.cacheChange, CacheChangeRequest(.resize(byteCount: random.next())))
        try add(.cacheChange, cache(), isReply: true)
        try add(.uploaderReady, UploaderReady(freeWriteSlots: number(), freeReadSlots: number()))
        for work in works() {
            try add(.uploadJob, UploadJob(id: random.next(), work: work, timeoutMilliseconds: number()))
        }
        for outcome in outcomes() { try add(.uploadResult, UploadResult(id: random.next(), outcome: outcome)) }
        bodies += try snapshotBodies()
        try add(.sessionList, SessionListRequest())
        try add(.sessionList, SessionListRequest.Reply(sessions: [session(), session()]), isReply: true)
        try add(
            .sessionEnd,
            SessionEndRequest(
                initiatorName: random.oneIn(2) ? text() : nil,
                volume: random.oneIn(2) ? VolumeID(rawValue: random.next()) : nil))
        try add(.sessionEnd, SessionEndRequest.Reply(sessionCount: number()), isReply: true)
        try add(.fault, BusFault(.nameTaken, text()), isReply: true)
        bodies.append((.io, false, fixed(IORequest.byteCount) { $0.request().encode(into: &$1) }))
        bodies.append((.io, true, fixed(IOReply.byteCount) { $0.reply().encode(into: &$1) }))
        return bodies
    }

    private mutating func snapshotBodies() throws -> [Body] {
        var bodies: [Body] = []
        func add(_ kind: MessageKind, _ value: some Encodable, isReply: Bool = false) throws {
            bodies.append((kind, isReply, try MessageCoder.encode(value)))
        }
        try add(
            .volumeHold,
            VolumeHoldRequest(
                volumes: [VolumeReference(text())], holdMilliseconds: number(),
                released: random.oneIn(2) ? random.next() : nil))
        try add(.volumeHold, VolumeHoldRequest.Reply(hold: random.next()), isReply: true)
        try add(
            .pendingSnapshots,
            PendingSnapshotsRequest(after: random.oneIn(2) ? SnapshotID(rawValue: random.next()) : nil))
        try add(.pendingSnapshots, pendingSnapshots(), isReply: true)
        try add(.settleSnapshots, SettleSnapshotsRequest(snapshots: [SnapshotID(rawValue: random.next())]))
        try add(.settleSnapshots, SettleSnapshotsRequest.Reply(), isReply: true)
        try add(.snapshotCreate, SnapshotCreateRequest(volume: VolumeReference(text()), description: text()))
        try add(.snapshotCreate, snapshot(), isReply: true)
        try add(.snapshotList, SnapshotListRequest(id: random.oneIn(2) ? SnapshotID(rawValue: random.next()) : nil))
        try add(.snapshotList, SnapshotListRequest.Reply(snapshots: [snapshot(), snapshot()]), isReply: true)
        try add(.snapshotDelete, SnapshotDeleteRequest(id: SnapshotID(rawValue: random.next())))
        try add(.snapshotDelete, snapshot(), isReply: true)
        try add(
            .snapshotGroupCreate,
            SnapshotGroupCreateRequest(volumes: [VolumeReference(text())], description: text()))
        try add(.snapshotGroupCreate, group(), isReply: true)
        try add(
            .snapshotGroupList,
            SnapshotGroupListRequest(id: random.oneIn(2) ? SnapshotGroupID(rawValue: random.next()) : nil))
        try add(.snapshotGroupList, SnapshotGroupListRequest.Reply(groups: [group(), group()]), isReply: true)
        return bodies
    }

    private mutating func fixed(
        _ byteCount: Int, _ encode: (inout SchemaSamples, inout MutableRawSpan) -> Void
    ) -> [UInt8] {
        var bytes = [UInt8](repeating: 0xff, count: byteCount)
        var whole = bytes.mutableSpan
        var span = unsafe whole.mutableBytes
        encode(&self, &span)
        return bytes
    }

    mutating func request() -> IORequest {
        IORequest(
            volume: VolumeID(rawValue: random.next()), frontend: instance(), number: random.next(),
            lowestOpenNumber: random.next(), deadlineMilliseconds: random.next(), nexus: random.next(),
            operation: IORequest.Operation.allCases[random.below(IORequest.Operation.allCases.count)],
            flags: IORequest.Flags(rawValue: UInt8(random.below(4))),
            sectors: SectorRange(start: random.next(), count: number()), payloadByteCount: number(),
            arenaOffset: random.next())
    }

    mutating func reply() -> IOReply {
        IOReply(
            frontend: instance(), number: random.next(),
            status: IOReply.Status.allCases[random.below(IOReply.Status.allCases.count)], information: random.next(),
            payloadByteCount: number(), arenaOffset: random.next())
    }

    mutating func hello() -> HelloRequest {
        HelloRequest(service: .uploader, instance: instance(), softwareVersion: text())
    }

    mutating func volume() -> VolumeDescription {
        VolumeDescription(
            id: VolumeID(rawValue: random.next()), name: text(), targetName: text(), byteCount: random.next(),
            status: .available, statusReason: text(), durability: .always, compression: .standard,
            commitIntervalSeconds: number(), sourceSnapshot: random.oneIn(2) ? SnapshotID(rawValue: 1) : nil,
            createdMilliseconds: random.next(), generation: number(), commitNumber: random.next(),
            recoveryPointMilliseconds: random.next(), dirtyByteCount: random.next(), oldestDirtySeconds: 1.25,
            uploadBufferUsedByteCount: random.next(), uploadBufferByteCount: random.next(),
            reads: random.oneIn(2) ? reads() : nil,
            lease: random.oneIn(2)
                ? VolumeLease(
                    milliseconds: random.next(), isHeld: random.oneIn(2),
                    owner: random.oneIn(2) ? GatewayID(rawValue: random.next()) : nil) : nil,
            access: random.oneIn(2)
                ? VolumeAccess(
                    isReadOnly: random.oneIn(2), allowsSanitize: random.oneIn(2), coldResetCount: random.next()) : nil,
            blockSize: random.oneIn(2) ? .fourKibibytes : nil, isRemovable: random.oneIn(2) ? true : nil)
    }

    private mutating func attach() -> VolumeAttachRequest {
        VolumeAttachRequest(
            volume: VolumeReference(text()), force: random.oneIn(2),
            standby: random.oneIn(2) ? (random.oneIn(2) ? .begin : .cancel) : nil)
    }

    private mutating func reads() -> VolumeReadFigures {
        VolumeReadFigures(
            readCount: random.next(), localReadCount: random.next(), journalByteCount: random.next(),
            memoryByteCount: random.next(), cacheByteCount: random.next(), bucketByteCount: random.next(),
            prefetchedByteCount: random.next(),
            warming: random.oneIn(2)
                ? .init(
                    isRunning: random.oneIn(2), outcome: text(), byteCount: random.next(),
                    doneByteCount: random.next(), fetchedByteCount: random.next(), fetchedFrameCount: random.next(),
                    presentFrameCount: random.next(), problem: random.oneIn(2) ? text() : nil) : nil)
    }

    private mutating func cache() -> CacheDescription {
        CacheDescription(
            directories: (0..<random.below(3)).map { _ in
                .init(
                    path: text(), state: .inUse, byteCount: random.next(), usedByteCount: random.next(),
                    errorCount: number())
            }, byteCount: random.next(), usedByteCount: random.next(), frameCount: random.next(),
            indexByteCount: random.next(), indexUsedByteCount: random.next(), hitCount: random.next(),
            missCount: random.next(), damagedCount: random.next(), isConfigured: random.oneIn(2))
    }

    mutating func metrics() -> MetricsRequest.Reply {
        let samples = (0..<random.below(4)).map { _ in
            MetricFamily.Sample(labels: [text(): text(), text() + "x": text()], value: Double(random.below(1000)))
        }
        return MetricsRequest.Reply(families: [
            MetricFamily(name: text(), help: text(), type: .counter, samples: samples),
            MetricFamily(name: text(), help: text(), type: .gauge, samples: []),
            MetricFamily(
                name: text(), help: text(), type: .histogram,
                samples: [.init(labels: [text(): text()], LatencyHistogram())]),
        ])
    }

    private mutating func helloReply() -> HelloRequest.Reply {
        HelloRequest.Reply(
            service: .cache, instance: instance(), softwareVersion: text(),
            gateway: random.oneIn(2) ? GatewayID(rawValue: random.next()) : nil,
            volumes: (0..<random.below(5)).map { _ in VolumeID(rawValue: random.next()) },
            clockMilliseconds: random.next())
    }

    private mutating func health() -> HealthRequest.Reply {
        HealthRequest.Reply(
            service: .exporter, instance: instance(), softwareVersion: text(), uptimeSeconds: 0.5,
            processID: Int32(truncatingIfNeeded: random.next()), isReady: random.oneIn(2), detail: text())
    }

    private mutating func volumeCreate() -> VolumeCreateRequest {
        VolumeCreateRequest(
            name: text(), byteCount: random.oneIn(2) ? random.next() : nil,
            snapshot: random.oneIn(2) ? SnapshotID(rawValue: random.next()) : nil, durability: .onFlush,
            compression: CompressionLevel(rawValue: number()), commitIntervalSeconds: number(),
            uploadBufferByteCount: random.oneIn(2) ? random.next() : nil,
            leaseMilliseconds: random.oneIn(2) ? random.next() : nil,
            blockSize: random.oneIn(2) ? (random.oneIn(2) ? .sector : .fourKibibytes) : nil,
            isRemovable: random.oneIn(2) ? random.oneIn(2) : nil)
    }

    private mutating func discovered() -> VolumeDiscoverRequest.Reply {
        VolumeDiscoverRequest.Reply(volumes: [
            .init(
                id: VolumeID(rawValue: random.next()), name: text(), byteCount: random.next(), generation: number(),
                commitNumber: random.next(), recoveryPointMilliseconds: random.next(),
                owner: GatewayID(rawValue: random.next()), isAttachedHere: random.oneIn(2), isDeleted: false)
        ])
    }

    private mutating func cut() -> VolumeCutRequest.Reply {
        VolumeCutRequest.Reply(snapshots: [pending()], pauseMicroseconds: random.next())
    }

    private mutating func cutRequest() -> VolumeCutRequest {
        VolumeCutRequest(
            wishes: [.init(snapshot: SnapshotID(rawValue: random.next()), volume: VolumeReference(text()))],
            description: text(), createdMilliseconds: random.next(), isInternal: random.oneIn(2),
            group: random.oneIn(2) ? .init(id: SnapshotGroupID(rawValue: random.next()), members: []) : nil,
            hold: random.oneIn(2) ? random.next() : nil)
    }

    private mutating func pending() -> PendingSnapshotDescription {
        PendingSnapshotDescription(
            id: SnapshotID(rawValue: random.next()), volume: VolumeID(rawValue: random.next()),
            uploadByteCount: random.next(), uploadedByteCount: random.next(), waitingReason: text(),
            record: random.bytes(random.below(100)))
    }

    private mutating func pendingSnapshots() -> PendingSnapshotsRequest.Reply {
        PendingSnapshotsRequest.Reply(
            gateway: GatewayID(rawValue: random.next()), volumes: [VolumeID(rawValue: random.next())],
            snapshots: [pending(), pending()], hasMore: random.oneIn(2), revision: random.next())
    }

    private mutating func group() -> SnapshotGroupDescription {
        SnapshotGroupDescription(
            id: SnapshotGroupID(rawValue: random.next()), description: text(), state: .error,
            reason: random.oneIn(2) ? text() : nil, createdMilliseconds: random.next(),
            cutMilliseconds: random.next(), pauseMicroseconds: random.next(), members: [snapshot()])
    }

    mutating func works() -> [UploadJob.Work] {
        [
            .putPack(key: ObjectKey(text()), plan: random.bytes(random.below(200))),
            .putObject(key: ObjectKey(text()), precondition: .none),
            .putObject(key: ObjectKey(text()), precondition: .absent),
            .putObject(key: ObjectKey(text()), precondition: .matches(EntityTag(text()))),
            .getObject(key: ObjectKey(text())),
            .getRange(key: ObjectKey(text()), byteOffset: random.next(), byteCount: number()),
            .getFrames(key: ObjectKey(text()), byteOffset: random.next(), byteCounts: [number(), number()]),
            .listFolders(prefix: text()), .probe,
        ]
    }

    private mutating func outcomes() -> [UploadResult.Outcome] {
        [
            .success(etag: EntityTag(text()), storedByteCount: random.next()),
            .success(etag: nil, storedByteCount: random.next()), .preconditionFailed, .conflict, .notFound,
            .ambiguous(reason: text()), .unavailable(reason: text()), .corrupt(reason: text()),
            .refused(reason: text()),
        ]
    }

    private mutating func snapshot() -> SnapshotDescription {
        SnapshotDescription(
            id: SnapshotID(rawValue: random.next()), volume: VolumeID(rawValue: random.next()), volumeName: text(),
            volumeByteCount: random.next(), description: text(), state: .completed,
            createdMilliseconds: random.next(), commitNumber: random.next(),
            cutMilliseconds: random.oneIn(2) ? random.next() : nil, reason: random.oneIn(2) ? text() : nil,
            uploadByteCount: random.next(), uploadedByteCount: random.next(), isFromRecoveryPoint: random.oneIn(2),
            isInternal: random.oneIn(2), group: random.oneIn(2) ? SnapshotGroupID(rawValue: random.next()) : nil,
            pinnedBy: random.oneIn(2) ? [VolumeID(rawValue: random.next())] : nil,
            pinnedByNames: random.oneIn(2) ? [text()] : nil)
    }

    private mutating func session() -> SessionListRequest.Session {
        SessionListRequest.Session(
            initiatorName: text(), targetName: text(),
            volume: random.oneIn(2) ? VolumeID(rawValue: random.next()) : nil, peerAddress: text(),
            commandsOpen: number(), details: random.oneIn(2) ? details() : nil)
    }

    private mutating func details() -> SessionDetails {
        SessionDetails(
            isid: text(), tsih: number(), portal: text(), beganMilliseconds: random.next(),
            userName: random.oneIn(2) ? text() : nil, isHeaderDigestOn: random.oneIn(2),
            isDataDigestOn: random.oneIn(2), initialR2T: random.oneIn(2), immediateData: random.oneIn(2),
            maxBurstByteCount: number(), firstBurstByteCount: number(), initiatorDataSegmentByteCount: number())
    }

    private mutating func volumeChange() -> VolumeChangeRequest {
        VolumeChangeRequest(
            volume: VolumeReference(text()), byteCount: random.oneIn(2) ? random.next() : nil,
            name: random.oneIn(2) ? text() : nil, durability: random.oneIn(2) ? .always : nil,
            isReadOnly: random.oneIn(2) ? random.oneIn(2) : nil,
            allowsSanitize: random.oneIn(2) ? random.oneIn(2) : nil)
    }

    private mutating func reservations() -> VolumeReservationsRequest.Reply {
        VolumeReservationsRequest.Reply(
            generation: number(),
            registrants: (0..<random.below(3)).map { _ in
                .init(
                    initiatorPort: text(), key: random.next(), isHolder: random.oneIn(2),
                    isConnected: random.oneIn(2))
            },
            type: random.oneIn(2) ? number() : nil, reservedBy: random.oneIn(2) ? text() : nil)
    }

    mutating func instance() -> ServiceInstance { ServiceInstance(rawValue: random.next()) }

    mutating func number<Value: FixedWidthInteger>() -> Value { Value(truncatingIfNeeded: random.next()) }

    mutating func text() -> String {
        let letters = ["a", "Z", "0", "-", ".", "é", "漢", "🙂", "\u{0}", " "]
        return (0..<random.below(12)).map { _ in letters[random.below(letters.count)] }.joined()
    }
}
