// SPDX-License-Identifier: Apache-2.0

/// Which type the body of a message is: for tracing and for tests that go through all kinds.
package enum MessageCatalog {
    /// The decoded body. Requests and replies of `io` are arrays of their fixed layout.
    package static func decodeBody(
        kind: MessageKind, isReply: Bool, _ body: RawSpan
    ) throws(MessageError) -> any Encodable {
        switch kind {
        case .hello: try decode(HelloRequest.self, isReply, body)
        case .health: try decode(HealthRequest.self, isReply, body)
        case .metrics: try decode(MetricsRequest.self, isReply, body)
        case .io: isReply ? try IOReply.decodeBatch(body) : try IORequest.decodeBatch(body)
        case .volumeCreate: try decode(VolumeCreateRequest.self, isReply, body)
        case .volumeCreateCheck: try decode(VolumeCreateCheckRequest.self, isReply, body)
        case .volumeList: try decode(VolumeListRequest.self, isReply, body)
        case .volumeSync: try decode(VolumeSyncRequest.self, isReply, body)
        case .volumeDelete: try decode(VolumeDeleteRequest.self, isReply, body)
        case .volumeDiscover: try decode(VolumeDiscoverRequest.self, isReply, body)
        case .volumeAttach: try decode(VolumeAttachRequest.self, isReply, body)
        case .volumeChange: try decode(VolumeChangeRequest.self, isReply, body)
        case .volumeReservations: try decode(VolumeReservationsRequest.self, isReply, body)
        case .volumeCut: try decode(VolumeCutRequest.self, isReply, body)
        case .volumeWarm: try decode(VolumeWarmRequest.self, isReply, body)
        case .volumeHold: try decode(VolumeHoldRequest.self, isReply, body)
        case .pendingSnapshots: try decode(PendingSnapshotsRequest.self, isReply, body)
        case .settleSnapshots: try decode(SettleSnapshotsRequest.self, isReply, body)
        case .uploaderReady: try MessageCoder.decode(UploaderReady.self, from: body)
        case .uploadJob: try MessageCoder.decode(UploadJob.self, from: body)
        case .uploadResult: try MessageCoder.decode(UploadResult.self, from: body)
        case .snapshotCreate: try decode(SnapshotCreateRequest.self, isReply, body)
        case .snapshotList: try decode(SnapshotListRequest.self, isReply, body)
        case .snapshotDelete: try decode(SnapshotDeleteRequest.self, isReply, body)
        case .snapshotGroupCreate: try decode(SnapshotGroupCreateRequest.self, isReply, body)
        case .snapshotGroupList: try decode(SnapshotGroupListRequest.self, isReply, body)
        case .sessionList: try decode(SessionListRequest.self, isReply, body)
        case .sessionEnd: try decode(SessionEndRequest.self, isReply, body)
        case .cacheShow: try decode(CacheShowRequest.self, isReply, body)
        case .cacheChange: try decode(CacheChangeRequest.self, isReply, body)
        case .fault: try MessageCoder.decode(BusFault.self, from: body)
        }
    }

    private static func decode<Request: BusRequest>(
        _ type: Request.Type, _ isReply: Bool, _ body: RawSpan
    ) throws(MessageError) -> any Encodable {
        isReply
            ? try MessageCoder.decode(Request.Reply.self, from: body)
            : try MessageCoder.decode(Request.self, from: body)
    }
}

extension IORequest {
    /// All requests of one body, for cold paths; a reactor walks the body itself.
    package static func decodeBatch(_ body: RawSpan) throws(MessageError) -> [IORequest] {
        guard body.byteCount % byteCount == 0 else { throw .lengthMismatch }
        guard body.byteCount / byteCount <= MessageLimits.ioBatchCount else {
            throw .tooLarge(byteCount: body.byteCount, limit: MessageLimits.ioBatchCount * byteCount)
        }
        var requests: [IORequest] = []
        for start in stride(from: 0, to: body.byteCount, by: byteCount) {
            requests.append(try IORequest(decoding: body.extracting(start..<(start + byteCount))))
        }
        return requests
    }
}

extension IOReply {
    package static func decodeBatch(_ body: RawSpan) throws(MessageError) -> [IOReply] {
        guard body.byteCount % byteCount == 0 else { throw .lengthMismatch }
        guard body.byteCount / byteCount <= MessageLimits.ioBatchCount else {
            throw .tooLarge(byteCount: body.byteCount, limit: MessageLimits.ioBatchCount * byteCount)
        }
        var replies: [IOReply] = []
        for start in stride(from: 0, to: body.byteCount, by: byteCount) {
            replies.append(try IOReply(decoding: body.extracting(start..<(start + byteCount))))
        }
        return replies
    }
}
