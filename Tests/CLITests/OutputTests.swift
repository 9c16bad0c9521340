// SPDX-License-Identifier: Apache-2.0
import CLI
import Messages
import ServiceKit
import Testing
import Wire

struct OutputTests {
    static let volume = VolumeDescription(
        id: VolumeID(rawValue: 0xab), name: "db", targetName: "iqn.2026-11.io.sluice:db", byteCount: 10 << 30,
        status: .available, statusReason: "", durability: .onFlush, compression: .standard, commitIntervalSeconds: 10,
        sourceSnapshot: nil, createdMilliseconds: 1_000, generation: 3, commitNumber: 7, recoveryPointMilliseconds: 0,
        dirtyByteCount: 1536, oldestDirtySeconds: 2.5, uploadBufferUsedByteCount: 1 << 20,
        uploadBufferByteCount: 1 << 30)

    @Test func alignsColumnsAndMarksEmptyCells() {
        var table = Table(["NAME", "X"])
        table.add(["a", "1"])
        table.add(["longer", ""])
        #expect(table.render() == "NAME    X\na       1\nlonger  -\n")
        #expect(Table(["ONLY"]).render() == "ONLY\n")
    }

    @Test func writesAges() {
        #expect(HumanText.age(seconds: 2.55) == "2.5 s")
        #expect(HumanText.age(seconds: 60) == "60 s")
        #expect(HumanText.age(seconds: 600) == "10 min")
        #expect(HumanText.age(seconds: 1e5) == "27 h")
        #expect(HumanText.age(seconds: .infinity) == "unknown")
        #expect(HumanText.age(seconds: .nan) == "unknown")
        #expect(HumanText.ago(milliseconds: 0) == "never")
        #expect(HumanText.ago(milliseconds: 1_000, now: Timestamp(milliseconds: 61_000)) == "60 s ago")
        #expect(HumanText.ago(milliseconds: 2, now: Timestamp(milliseconds: 1)) == "just now")
        #expect(HumanText.percent(1, of: 0) == "0%")
        #expect(HumanText.percent(1, of: 3) == "33%")
    }

    @Test func theCacheIsShownWithItsDirectories() throws {
        let cache = CacheDescription(
            directories: [
                .init(path: "/a", state: .inUse, byteCount: 1 << 30, usedByteCount: 1 << 20, errorCount: 0),
                .init(path: "/b", state: .off, byteCount: 0, usedByteCount: 0, errorCount: 9),
            ], byteCount: 2 << 30, usedByteCount: 1 << 20, frameCount: 16, indexByteCount: 64 << 20,
            indexUsedByteCount: 320, hitCount: 3, missCount: 1, damagedCount: 0, isConfigured: false)
        let text = CacheOutput(cache).text
        #expect(text.contains("/b         off     0 B    0 B    9\n"))
        #expect(text.contains("1 MiB of 2 GiB used by 16 frames; set with `sluice cache`"))
        #expect(text.contains("3 hits, 1 misses (75% hits), 0 damaged"))
        #expect(try JSONOutput.text(CacheOutput(cache)).contains("\"state\" : \"in-use\""))
    }

    @Test func aVolumeIsShownWithWhereItsReadsCameFrom() {
        var volume = Self.volume
        volume.reads = VolumeReadFigures(
            readCount: 4, localReadCount: 3, journalByteCount: 4096, memoryByteCount: 0, cacheByteCount: 8192,
            bucketByteCount: 4096, prefetchedByteCount: 0,
            warming: .init(
                isRunning: true, outcome: "", byteCount: 1 << 30, doneByteCount: 1 << 28, fetchedByteCount: 1 << 20,
                fetchedFrameCount: 16, presentFrameCount: 2))
        let text = VolumeTable.details(VolumeOutput(volume, portals: []))
        #expect(text.contains("4, 75% without the bucket; journal 4 KiB, memory 0 B, cache 8 KiB, bucket 4 KiB"))
        #expect(text.contains("being warmed, 25%; 1 MiB fetched in 16 frames, 2 frames were there"))
        volume.reads?.warming?.problem = "the bucket is away"
        #expect(VolumeTable.details(VolumeOutput(volume, portals: [])).contains("25%, waiting: the bucket is away;"))
    }

    @Test func volumesHaveAnAddressToConnectTo() {
        let portals = [
            ListenAddress(host: "0.0.0.0", port: 3260), ListenAddress(host: "::", port: 1),
            ListenAddress(host: "10.0.0.1", port: 2),
        ]
        let record = VolumeOutput(Self.volume, portals: portals)
        #expect(
            record.urls == [
                "iscsi://127.0.0.1:3260/iqn.2026-11.io.sluice:db/0", "iscsi://[::1]:1/iqn.2026-11.io.sluice:db/0",
                "iscsi://10.0.0.1:2/iqn.2026-11.io.sluice:db/0",
            ])
        #expect(VolumeTable.details(record).contains("recovery point   none yet\n"))
    }

    @Test func listsVolumesForPeople() {
        let lines = VolumeTable.list([Self.volume]).split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.last?.hasPrefix("db    vol-000000000000000ab  10 GiB  available  1.5 KiB  2.5 s") == true)
        var fenced = Self.volume
        fenced.status = .fenced
        fenced.statusReason = "another gateway took it over"
        #expect(VolumeTable.list([fenced]).hasSuffix("db: another gateway took it over\n"))
    }

    @Test func ownershipIsShown() throws {
        #expect(VolumeTable.list([Self.volume]).contains("  exclusive\n"))
        var leased = Self.volume
        leased.lease = VolumeLease(milliseconds: 30_000, isHeld: true)
        #expect(VolumeTable.list([leased]).contains("  lease 30s, held\n"))
        leased.status = .standby
        leased.lease?.isHeld = false
        leased.lease?.owner = GatewayID(rawValue: 0xcd)
        let record = VolumeOutput(leased, portals: [ListenAddress(host: "10.0.0.1", port: 2)])
        #expect(VolumeTable.details(record).contains("lease 30s, lapsed; gateway sgw-000000000000000cd owns it\n"))
        #expect(record.urls.isEmpty, "a standby serves nobody")
        let text = try JSONOutput.text(record)
        for name in ["\"leaseHeld\" : false", "\"leaseSeconds\" : 30", "\"ownership\" : \"lease\""] {
            #expect(text.contains(name), "\(name)")
        }
    }

    @Test func programsGetStableNames() throws {
        let text = try JSONOutput.text(VolumeOutput(Self.volume, portals: []))
        for name in ["\"dirtyBytes\" : 1536", "\"status\" : \"available\"", "\"id\" : \"vol-000000000000000ab\""] {
            #expect(text.contains(name), "\(name)")
        }
    }

    @Test func aSnapshotIsShownWithTheNamesOfWhatIsMadeFromIt() throws {
        var snapshot = SnapshotDescription(
            id: SnapshotID(rawValue: 0xcd), volume: Self.volume.id, volumeName: "db", volumeByteCount: 1 << 30,
            description: "nightly", state: .completed, createdMilliseconds: 0, commitNumber: 3,
            pinnedBy: [VolumeID(rawValue: 1), VolumeID(rawValue: 2)], pinnedByNames: ["test", "report"])
        #expect(SnapshotOutput.table([snapshot]).contains("  test report  nightly"))
        #expect(try JSONOutput.text(SnapshotOutput(snapshot)).contains("\"vol-00000000000000001\""))
        #expect(
            SnapshotOutput.deletion(of: snapshot)
                == "deleted snap-000000000000000cd of db; volumes made from it keep its data: test, report\n")
        (snapshot.volumeName, snapshot.reason) = ("", "its record could not be read")
        #expect(SnapshotOutput.deletion(of: snapshot).contains("could not be read"))
    }
}
