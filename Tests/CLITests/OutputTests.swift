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

    @Test func programsGetStableNames() throws {
        let text = try JSONOutput.text(VolumeOutput(Self.volume, portals: []))
        for name in ["\"dirtyBytes\" : 1536", "\"status\" : \"available\"", "\"id\" : \"vol-000000000000000ab\""] {
            #expect(text.contains(name), "\(name)")
        }
    }
}
