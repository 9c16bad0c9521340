// SPDX-License-Identifier: Apache-2.0
package import Messages
import ServiceKit
import Wire

/// Volumes for people: a line each, or one in full.
package enum VolumeTable {
    package static func list(_ volumes: [VolumeDescription]) -> String {
        var table = Table(["NAME", "ID", "SIZE", "STATUS", "DIRTY", "OLDEST", "RECOVERY POINT", "BUFFER", "OWNERSHIP"])
        for volume in volumes {
            table.add([
                volume.name, volume.id.description, ByteSize(byteCount: volume.byteCount).description,
                volume.status.word, ByteSize(byteCount: volume.dirtyByteCount).description,
                volume.dirtyByteCount == 0 ? "" : HumanText.age(seconds: volume.oldestDirtySeconds),
                HumanText.ago(milliseconds: volume.recoveryPointMilliseconds),
                HumanText.percent(volume.uploadBufferUsedByteCount, of: volume.uploadBufferByteCount),
                volume.lease?.text ?? "exclusive",
            ])
        }
        let troubled = volumes.filter { !$0.statusReason.isEmpty }.map { "\($0.name): \($0.statusReason)\n" }
        return table.render() + troubled.joined()
    }

    package static func details(_ volume: VolumeOutput) -> String {
        let rows: [(String, String)] = [
            ("name", volume.name), ("id", volume.id), ("status", volume.status), ("reason", volume.statusReason),
            ("size", ByteSize(byteCount: volume.sizeBytes).description),
            ("block size", "\(volume.blockSizeBytes) B"), ("target", volume.target),
            ("connect to", volume.urls.joined(separator: " ")), ("durability", volume.durability),
            ("access", Self.access(volume)),
            ("compression", volume.compressionLevel == 0 ? "none" : "zstd level \(volume.compressionLevel)"),
            ("ownership", Self.ownership(volume)),
            ("commit interval", "\(volume.commitIntervalSeconds) s"),
            ("made from", volume.sourceSnapshot ?? ""), ("created", volume.created),
            ("generation", String(volume.generation)), ("commits", String(volume.commitNumber)),
            ("recovery point", volume.recoveryPoint ?? "none yet"),
            ("dirty", ByteSize(byteCount: volume.dirtyBytes).description),
            ("oldest dirty", volume.dirtyBytes == 0 ? "" : HumanText.age(seconds: volume.oldestDirtySeconds)),
            (
                "upload buffer",
                "\(ByteSize(byteCount: volume.uploadBufferUsedBytes)) of "
                    + "\(ByteSize(byteCount: volume.uploadBufferBytes)) used"
            ),
            ("reads", volume.reads?.text ?? ""), ("warming", volume.warming?.text ?? ""),
        ]
        let width = rows.map(\.0.count).max() ?? 0
        return rows.filter { !$0.1.isEmpty }.map { name, value in
            name + String(repeating: " ", count: width - name.count) + "  \(value)\n"
        }.joined()
    }

    private static func access(_ volume: VolumeOutput) -> String {
        [
            volume.readOnly ? "read-only" : nil, volume.sanitizeAllowed ? "may be sanitized" : nil,
            volume.removable ? "removable" : nil,
        ]
        .compactMap(\.self).joined(separator: ", ")
    }

    private static func ownership(_ volume: VolumeOutput) -> String {
        guard let seconds = volume.leaseSeconds, let isHeld = volume.leaseHeld else { return volume.ownership }
        let lease = VolumeLease(milliseconds: UInt64(seconds * 1000), isHeld: isHeld).text
        return lease + (volume.owner.map { "; gateway \($0) owns it" } ?? "")
    }
}
