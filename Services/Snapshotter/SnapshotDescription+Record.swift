// SPDX-License-Identifier: Apache-2.0
package import Engine
package import Messages
import Wire

extension SnapshotDescription {
    package init(_ record: SnapshotRecord) {
        self.init(
            id: record.id, volume: record.volume, volumeName: record.volumeName,
            volumeByteCount: record.volumeByteCount, description: record.description,
            state: SnapshotState(record.state), createdMilliseconds: record.createdMilliseconds,
            commitNumber: record.commitNumber, cutMilliseconds: record.cutMilliseconds ?? record.head?.cutMilliseconds,
            reason: record.reason, isFromRecoveryPoint: record.origin == .recoveryPoint ? true : nil,
            isInternal: record.isInternal, group: record.group?.id,
            pinnedBy: record.pinList.isEmpty ? nil : record.pinList.map(\.volume),
            pinnedByNames: record.pinList.isEmpty ? nil : record.pinList.map(\.volumeName))
    }

    package init(_ entry: SnapshotCatalogue.Entry) {
        switch entry {
        case .record(let record): self.init(record)
        case .damaged(let id, let reason):
            self.init(
                id: id, volume: VolumeID(rawValue: 0), volumeName: "", volumeByteCount: 0, description: reason,
                state: .error, createdMilliseconds: 0, commitNumber: 0)
        }
    }
}

extension SnapshotState {
    fileprivate init(_ state: SnapshotRecord.State) {
        switch state {
        case .pending: self = .pending
        case .completed: self = .completed
        case .error: self = .error
        case .deleting: self = .deleting
        }
    }
}
