// SPDX-License-Identifier: Apache-2.0
import CacheManager
import Engine
import Messages
import TestSupport
import Testing
import Wire

/// A clone claims what its image is made of before it exists (STORAGE §7).
struct ClonePinsTests {
    private static func bytes(_ value: UInt8) -> [UInt8] { [UInt8](repeating: value, count: 4096) }

    private func record(_ id: SnapshotID, _ gateway: GatewayHarness) throws -> SnapshotRecord {
        try SnapshotFormat.decode(try #require(gateway.bucket.objects[BucketLayout.snapshot(id)]).bytes)
    }

    private func change(_ id: SnapshotID, _ gateway: GatewayHarness, _ edit: (inout SnapshotRecord) -> Void) throws {
        var changed = try record(id, gateway)
        edit(&changed)
        gateway.bucket.put(BucketLayout.snapshot(id), try SnapshotFormat.encode(changed))
    }

    /// A volume, a snapshot of it, a clone of that, and so on; each adds a block of its own.
    private func chain(_ gateway: GatewayHarness, _ length: Int) throws -> (
        volumes: [VolumeID], snapshots: [SnapshotID]
    ) {
        var volumes: [VolumeID] = []
        var snapshots: [SnapshotID] = []
        for level in 0..<length {
            let volume = try gateway.create("v\(level)", gibibytes: 1, from: snapshots.last)
            try gateway.write(Self.bytes(UInt8(level + 1)), to: volume.id, sector: UInt64(level) * 8)
            volumes.append(volume.id)
            try gateway.cut("v\(level)", first: UInt64(level + 1))
            try gateway.settle()
            snapshots.append(SnapshotID(rawValue: UInt64(level + 1)))
        }
        return (volumes, snapshots)
    }

    @Test func aClonePinsItsWholeDescent() throws {
        let gateway = try GatewayHarness()
        let (volumes, snapshots) = try chain(gateway, 3)
        #expect(try record(snapshots[0], gateway).pinList.map(\.volume) == [volumes[1], volumes[2]])
        #expect(try record(snapshots[1], gateway).pinList.map(\.volume) == [volumes[2]])
        #expect(try record(snapshots[2], gateway).pinList.isEmpty)
        #expect(try record(snapshots[0], gateway).pinList.allSatisfy { $0.state == .active })
        for level in 0..<3 {
            #expect(try gateway.read(volumes[2], sector: UInt64(level) * 8, count: 8) == Self.bytes(UInt8(level + 1)))
        }
    }

    @Test func thePinIsInTheRecordBeforeTheHeadExists() throws {
        let gateway = try GatewayHarness()
        let (_, snapshots) = try chain(gateway, 1)
        var seen: [String] = []
        gateway.bucket.willPut = { key, bytes in
            if key.name.hasSuffix("/HEAD") { seen.append("head") }
            guard key == BucketLayout.snapshot(snapshots[0]), let record = try? SnapshotFormat.decode(bytes) else {
                return
            }
            seen += record.pinList.map(\.state.rawValue)
        }
        try gateway.create("clone", gibibytes: nil, from: snapshots[0])
        #expect(seen == ["pending", "head", "active"])
    }

    @Test func whatIsBeingDeletedTakesNoNewPins() throws {
        let gateway = try GatewayHarness()
        let (_, snapshots) = try chain(gateway, 1)
        try change(snapshots[0], gateway) { $0.state = .deleting }
        let fault = try gateway.fault { try gateway.create("clone", gibibytes: nil, from: snapshots[0]) }
        #expect(fault.code == .unknownSnapshot && fault.message.contains("deleting"))
        #expect(try record(snapshots[0], gateway).pinList.isEmpty)
    }

    @Test func aDeletionThatComesInBetweenWinsOverThePin() throws {
        let gateway = try GatewayHarness()
        let (_, snapshots) = try chain(gateway, 1)
        var isDone = false
        gateway.bucket.willPut = { key, _ in
            // The other side's mark lands between our look and our write.
            guard key == BucketLayout.snapshot(snapshots[0]), !isDone else { return }
            isDone = true
            try? self.change(snapshots[0], gateway) { $0.state = .deleting }
        }
        let fault = try gateway.fault { try gateway.create("clone", gibibytes: nil, from: snapshots[0]) }
        #expect(fault.code == .unknownSnapshot && fault.message.contains("being deleted"), "\(fault)")
        #expect(gateway.control.list().volumes.map(\.name) == ["v0"])
    }

    @Test func anHeirMayPinWhatItsOriginHasPinned() throws {
        let gateway = try GatewayHarness()
        let (volumes, snapshots) = try chain(gateway, 2)
        try change(snapshots[0], gateway) { $0.state = .deleting }
        let clone = try gateway.create("v2", gibibytes: nil, from: snapshots[1])
        for id in snapshots { #expect(try record(id, gateway).pinList.contains { $0.volume == clone.id }, "\(id)") }
        // Without the origin's claim there is nothing to inherit, and nothing stays pinned.
        try change(snapshots[0], gateway) { _ = $0.removePin(of: volumes[1]) }
        let fault = try gateway.fault { try gateway.create("v3", gibibytes: nil, from: snapshots[1]) }
        #expect(fault.code == .unknownSnapshot && fault.message.contains("descends"), "\(fault)")
        let names = try snapshots.flatMap { try record($0, gateway).pinList.map(\.volumeName) }
        #expect(!names.contains("v3"))
    }

    /// Asked before the snapshot of a clone is taken.
    @Test func aCloneThatWouldBeRefusedIsRefusedAtOnce() throws {
        let gateway = try GatewayHarness()
        try gateway.create("db", gibibytes: 2)
        func check(_ name: String, gibibytes: UInt64?, buffer: UInt64? = nil, of source: String = "db") throws {
            let create = VolumeCreateRequest(
                name: name, byteCount: gibibytes.map { $0 << 30 }, uploadBufferByteCount: buffer)
            _ = try gateway.control.check(VolumeCreateCheckRequest(create, source: VolumeReference(source)))
        }
        try check("copy", gibibytes: nil)
        try check("copy", gibibytes: 2)
        try check("copy", gibibytes: 1, of: "another gateway's")
        #expect(try gateway.fault { try check("db", gibibytes: nil) }.code == .nameTaken)
        #expect(try gateway.fault { try check("copy", gibibytes: 1) }.message.contains("at least 2 GiB"))
        #expect(try gateway.fault { try check("copy", gibibytes: nil, buffer: 1 << 40) }.code == .invalidArgument)
        #expect(try gateway.fault { try check("copy", gibibytes: nil, buffer: 60 << 20) }.code == .insufficientSpace)
    }

    /// Nobody is told to free space for a source that there is not.
    @Test func anUnknownSourceIsToldOfBeforeAFullJournal() throws {
        let gateway = try GatewayHarness()
        for name in ["a", "b", "c", "d"] { try gateway.create(name) }
        #expect(try gateway.fault { try gateway.create("e") }.code == .insufficientSpace)
        let fault = try gateway.fault { try gateway.create("e", gibibytes: nil, from: SnapshotID(rawValue: 9)) }
        #expect(fault.code == .unknownSnapshot, "\(fault)")
        let check = VolumeCreateCheckRequest(
            VolumeCreateRequest(name: "e", byteCount: nil), source: VolumeReference("nobody"))
        #expect(throws: Never.self, "the snapshotter knows whether there is one") { try gateway.control.check(check) }
        // It would be refused only after its snapshot was read.
        try gateway.cut("a")
        try gateway.settle()
        let full = try gateway.fault { try gateway.create("e", gibibytes: nil, from: SnapshotID(rawValue: 1)) }
        #expect(full.code == .insufficientSpace || full.code == .notReady, "\(full)")
    }

    @Test func aPendingSnapshotIsNoSourceYet() throws {
        let gateway = try GatewayHarness()
        let (volumes, _) = try chain(gateway, 1)
        try gateway.write(Self.bytes(7), to: volumes[0], sector: 0)
        gateway.isBucketReachable = false
        try gateway.cut("v0", first: 9)
        let pending = SnapshotRecord(try #require(try gateway.pending().first), gateway: gateway.gateway)
        gateway.bucket.put(BucketLayout.snapshot(pending.id), try SnapshotFormat.encode(pending))
        gateway.isBucketReachable = true
        // Only the record is asked; it is brought up to date by the snapshotter.
        let fault = try gateway.fault { try gateway.create("clone", gibibytes: nil, from: pending.id) }
        #expect(fault.code == .notReady && fault.message.contains("not in the bucket yet"))
    }

    @Test func aRecordWithoutPinsThatIsBeingDeletedIsNeverPinnedAgain() throws {
        let gateway = try GatewayHarness()
        let (volumes, snapshots) = try chain(gateway, 2)
        var record = try record(snapshots[0], gateway)
        record.state = .deleting
        let pin = SnapshotPin(
            volume: VolumeID(rawValue: 9), volumeName: "x", gateway: gateway.gateway, createdMilliseconds: 1)
        #expect(throws: SnapshotRecord.PinRefusal.unusable(.deleting)) {
            try record.pin(pin, inheritedFrom: VolumeID(rawValue: 8))
        }
        try record.pin(pin, inheritedFrom: volumes[1])
        #expect(record.removePin(of: pin.volume) && record.removePin(of: volumes[1]))
        #expect(throws: SnapshotRecord.PinRefusal.unusable(.deleting)) {
            try record.pin(pin, inheritedFrom: volumes[1])
        }
    }
}
