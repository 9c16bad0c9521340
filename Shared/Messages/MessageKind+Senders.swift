// SPDX-License-Identifier: Apache-2.0

extension MessageKind {
    /// Whether a service of this kind has a reason to send such requests. Others are refused, so that a key that was
    /// lost opens no more than what its service does.
    package func mayCome(from sender: ServiceKind) -> Bool {
        switch self {
        case .hello, .health, .metrics, .fault: true
        case .io: sender == .iscsi
        case .uploaderReady, .uploadResult: sender == .uploader
        case .uploadJob: sender == .cache
        case .volumeCut, .volumeHold, .pendingSnapshots, .settleSnapshots: sender == .snapshotter
        case .volumeList: sender == .iscsi || sender == .snapshotter || sender.speaksForPeople
        case .volumeCreate, .volumeCreateCheck, .volumeSync, .volumeDelete, .volumeDiscover, .volumeAttach, .volumeWarm,
            .volumeChange, .volumeReservations, .snapshotCreate, .snapshotList, .snapshotDelete, .snapshotGroupCreate,
            .snapshotGroupList, .sessionList, .sessionEnd, .cacheShow, .cacheChange:
            sender.speaksForPeople
        }
    }
}

extension ServiceKind {
    fileprivate var speaksForPeople: Bool { self == .cli || self == .control }
}
