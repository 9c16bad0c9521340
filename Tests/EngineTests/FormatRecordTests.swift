// SPDX-License-Identifier: Apache-2.0
import Engine
import TestSupport
import Testing
import Wire

@Suite struct FormatRecordTests {
    private var snapshot: SnapshotRecord {
        SnapshotRecord(
            id: SnapshotID(rawValue: 0xdef), head: FormatSamples.head, description: "before the upgrade",
            createdMilliseconds: 1_767_225_611_000, state: .completed)
    }
    /// As version 1 had it.
    private var firstSnapshot: SnapshotRecord {
        var record = snapshot
        record.formatVersion = 1
        return record
    }
    private var pinnedSnapshot: SnapshotRecord {
        var record = snapshot
        record.cutMilliseconds = FormatSamples.head.cutMilliseconds
        record.origin = .recoveryPoint
        record.isInternal = true
        record.gateway = GatewayID(rawValue: 1)
        record.group = SnapshotGroupMembership(
            id: SnapshotGroupID(rawValue: 5), members: [record.id, SnapshotID(rawValue: 6)], pauseMicroseconds: 321)
        record.pins = [
            SnapshotPin(
                volume: VolumeID(rawValue: 7), volumeName: "clone", gateway: GatewayID(rawValue: 1), state: .active,
                createdMilliseconds: 1_767_225_612_000)
        ]
        return record
    }
    private var promise: PendingSnapshot {
        PendingSnapshot(
            id: SnapshotID(rawValue: 0xdef), volume: FormatSamples.head, description: "before the upgrade",
            createdMilliseconds: 1_767_225_611_000,
            cut: CutPoint(sequence: JournalSequence(9_007_199_254_740_999), wallMilliseconds: 1_767_225_611_500),
            unstoredByteCount: 81_920,
            group: SnapshotGroupMembership(
                id: SnapshotGroupID(rawValue: 5), members: [SnapshotID(rawValue: 0xdef)], pauseMicroseconds: 321))
    }
    private var group: SnapshotGroupRecord {
        SnapshotGroupRecord(
            id: SnapshotGroupID(rawValue: 5), gateway: GatewayID(rawValue: 1), description: "before the upgrade",
            createdMilliseconds: 1_767_225_611_000, cutMilliseconds: 1_767_225_611_500, state: .error,
            reason: "snap-00000000000000006 was not cut", pauseMicroseconds: 321,
            members: [
                .init(snapshot: SnapshotID(rawValue: 0xdef), volume: FormatSamples.volume, volumeName: "data")
            ])
    }
    private var state: LocalState {
        LocalState(
            volume: FormatSamples.volume, start: 3, head: FormatSamples.head,
            headTag: EntityTag("\"5d41402abc4b2a76b9719d911017c592\""))
    }

    @Test func goldenRecordsDecodeAndAreWhatWeWrite() throws {
        let head = try FormatSamples.record("head")
        #expect(try HeadFormat.decode(head) == FormatSamples.head)
        #expect(try HeadFormat.encode(FormatSamples.head) == head)
        #expect(try SnapshotFormat.decode(FormatSamples.record("snapshot")) == firstSnapshot)
        let stateBytes = try FormatSamples.record("local-state")
        #expect(try LocalStateFormat.decode(stateBytes) == state)
        #expect(try LocalStateFormat.encode(state) == stateBytes)
        let marker = try FormatSamples.record("format")
        #expect(try FormatMarker(decoding: marker) == FormatMarker(createdMilliseconds: 1_767_225_600_000))
        #expect(try FormatMarker(createdMilliseconds: 1_767_225_600_000).encoded() == marker)
    }

    @Test func goldenRecordsUnderALease() throws {
        var head = FormatSamples.head
        head.ownership = .lease
        head.leaseMilliseconds = 30_000
        let run = LeaseRun(rawValue: 0xfedc_ba98_7654_3210)
        head.renewal = LeaseRenewal(run: run, number: 12)
        let bytes = try FormatSamples.record("head-lease")
        #expect(try HeadFormat.decode(bytes) == head)
        #expect(try HeadFormat.encode(head) == bytes)
        var state = self.state
        state.head = head
        state.leaseRuns = [run, LeaseRun(rawValue: 7)]
        let stateBytes = try FormatSamples.record("local-state-lease")
        #expect(try LocalStateFormat.decode(stateBytes) == state)
        #expect(try LocalStateFormat.encode(state) == stateBytes)
        let standby = Standby(head: head, createdMilliseconds: 1_767_225_620_000)
        let standbyBytes = try FormatSamples.record("standby")
        #expect(try StandbyFormat.decode(standbyBytes) == standby)
        #expect(try StandbyFormat.encode(standby) == standbyBytes)
        FormatSamples.expectRefusal(ofDamageTo: standbyBytes, strideBy: 7) { _ = try StandbyFormat.decode($0) }
        // Only a volume under a lease has standbys.
        let exclusive = try StandbyFormat.encode(Standby(head: FormatSamples.head, createdMilliseconds: 1))
        #expect(throws: EngineError.self) { try StandbyFormat.decode(exclusive) }
    }

    @Test func goldenHeadOfTheSecondVersion() throws {
        let head = FormatSamples.head(.fourKibibytes)
        let bytes = try FormatSamples.record("head-4096", version: 2)
        #expect(head.formatVersion == 2)
        #expect(try HeadFormat.decode(bytes) == head)
        #expect(try HeadFormat.encode(head) == bytes)
        #expect(try HeadFormat.decode(FormatSamples.record("head")).blockSize == .sector)
        // Only who knows version 2 would show the right blocks.
        var old = head
        old.formatVersion = 1
        let oldBytes = try HeadFormat.encode(old)
        #expect(throws: EngineError.self) { try HeadFormat.decode(oldBytes) }
    }

    @Test func goldenHeadOfAProtectedVolume() throws {
        var head = FormatSamples.head
        head.byteCount = 3 << 30
        head.readOnly = true
        head.sanitizeAllowed = true
        let bytes = try FormatSamples.record("head-settings")
        #expect(try HeadFormat.decode(bytes) == head)
        #expect(try HeadFormat.encode(head) == bytes)
        #expect(head.settings.isReadOnly && head.settings.isSanitizeAllowed)
        #expect(!FormatSamples.head.settings.isReadOnly && !FormatSamples.head.settings.isSanitizeAllowed)
    }

    @Test func goldenSnapshotsOfTheSecondVersion() throws {
        let pinned = try FormatSamples.record("snapshot", version: 2)
        #expect(try SnapshotFormat.decode(pinned) == pinnedSnapshot)
        #expect(try SnapshotFormat.encode(pinnedSnapshot) == pinned)
        let pending = try FormatSamples.record("snapshot-pending", version: 2)
        let record = SnapshotRecord(promise, gateway: GatewayID(rawValue: 1))
        #expect(try SnapshotFormat.decode(pending) == record)
        #expect(try SnapshotFormat.encode(record) == pending)
        let promised = try FormatSamples.record("pending-snapshot")
        #expect(try PendingSnapshotFormat.decode(promised) == promise)
        #expect(try PendingSnapshotFormat.encode(promise) == promised)
        let groupBytes = try FormatSamples.record("group")
        #expect(try SnapshotGroupFormat.decode(groupBytes) == group)
        #expect(try SnapshotGroupFormat.encode(group) == groupBytes)
    }

    @Test func aSnapshotIsCompleteExactlyIfItHasItsHead() throws {
        var record = snapshot
        record.state = .pending
        let pending = try SnapshotFormat.encode(record)
        #expect(throws: EngineError.self) { try SnapshotFormat.decode(pending) }
        record.state = .completed
        record.head = nil
        for number in [41, 0] as [UInt64] {
            record.commitNumber = number
            let bytes = try SnapshotFormat.encode(record)
            #expect(throws: EngineError.self) { try SnapshotFormat.decode(bytes) }
        }
        record.state = .deleting
        #expect(try SnapshotFormat.decode(SnapshotFormat.encode(record)) == record)
        var kept = promise
        kept.head = FormatSamples.head
        kept.failure = "both"
        let both = try PendingSnapshotFormat.encode(kept)
        #expect(throws: EngineError.self) { try PendingSnapshotFormat.decode(both) }
        kept.failure = nil
        #expect(SnapshotRecord(kept, gateway: GatewayID(rawValue: 1)).state == .completed)
        var empty = group
        empty.members = []
        let emptyBytes = try SnapshotGroupFormat.encode(empty)
        #expect(throws: EngineError.self) { try SnapshotGroupFormat.decode(emptyBytes) }
    }

    @Test func aSnapshotHasRoomForEveryPin() throws {
        var record = snapshot
        for number in 0..<SnapshotRecord.pinLimit {
            try record.pin(
                SnapshotPin(
                    volume: VolumeID(rawValue: UInt64(number)), volumeName: String(repeating: "x", count: 63),
                    gateway: GatewayID(rawValue: 1), createdMilliseconds: 1_767_225_612_000), inheritedFrom: nil)
        }
        #expect(try SnapshotFormat.decode(SnapshotFormat.encode(record)) == record)
        let one = SnapshotPin(
            volume: VolumeID(rawValue: .max), volumeName: "x", gateway: GatewayID(rawValue: 1), createdMilliseconds: 1)
        #expect(throws: SnapshotRecord.PinRefusal.tooMany(SnapshotRecord.pinLimit)) {
            try record.pin(one, inheritedFrom: nil)
        }
    }

    @Test func damagedOrShortRecordsAreNeverBelieved() throws {
        // Only the last byte, a line feed, may be missing from JSON; the checksum covers it too.
        FormatSamples.expectRefusal(ofDamageTo: try FormatSamples.record("head"), strideBy: 3) {
            _ = try HeadFormat.decode($0)
        }
        FormatSamples.expectRefusal(ofDamageTo: try FormatSamples.record("snapshot"), strideBy: 11) {
            _ = try SnapshotFormat.decode($0)
        }
        FormatSamples.expectRefusal(ofDamageTo: try FormatSamples.record("local-state"), strideBy: 11) {
            _ = try LocalStateFormat.decode($0)
        }
        #expect(throws: EngineError.self) { try HeadFormat.decode(try FormatSamples.record("head").dropLast()) }
        #expect(throws: EngineError.self) { try HeadFormat.decode([]) }
        #expect(throws: EngineError.self) { try HeadFormat.decode(try FormatSamples.record("snapshot")) }
    }

    @Test func aNewerRecordIsRefusedAsSuch() throws {
        var head = FormatSamples.head
        head.formatVersion = 3
        let bytes = try HeadFormat.encode(head)
        #expect(throws: EngineError.newerFormat(.head, version: 3)) { try HeadFormat.decode(bytes) }
        let marker = try FormatMarker(format: 2, createdMilliseconds: 1).encoded()
        #expect(throws: EngineError.newerFormat(.formatMarker, version: 2)) { try FormatMarker(decoding: marker) }
        var record = snapshot
        record.head?.formatVersion = 3
        let snapshotBytes = try SnapshotFormat.encode(record)
        #expect(throws: EngineError.newerFormat(.head, version: 3)) { try SnapshotFormat.decode(snapshotBytes) }
    }

    @Test func aNameCannotPassForTheChecksum() throws {
        var head = FormatSamples.head
        head.name = "\"recordCRC32C\" : \"12345678\""
        head.targetName = "recordCRC32C"
        #expect(try HeadFormat.decode(HeadFormat.encode(head)) == head)
    }

    @Test func nonsenseWithAGoodChecksumIsRefused() throws {
        var heads: [Head] = []
        for change in 0..<7 {
            var head = FormatSamples.head
            switch change {
            case 0: head.blockByteCount = 512
            case 1: head.byteCount = 0
            case 2: head.byteCount = 1 << 47
            case 3: head.compressionLevel = 20
            case 4: head.foldNumber = 1 << 44
            case 5: head.root.packTable = nil
            default: head.root.packs[0].directoryOffset = .max
            }
            heads.append(head)
        }
        for head in heads {
            let bytes = try HeadFormat.encode(head)
            #expect(throws: EngineError.self) { try HeadFormat.decode(bytes) }
        }
        var record = snapshot
        record.volume = VolumeID(rawValue: 1)
        let bytes = try SnapshotFormat.encode(record)
        #expect(throws: EngineError.self) { try SnapshotFormat.decode(bytes) }
        var other = state
        other.volume = VolumeID(rawValue: 1)
        let stateBytes = try LocalStateFormat.encode(other)
        #expect(throws: EngineError.self) { try LocalStateFormat.decode(stateBytes) }
        let foreign = Array("{\"format\": 1, \"product\": \"other\", \"createdMilliseconds\": 1}".utf8)
        #expect(throws: EngineError.self) { try FormatMarker(decoding: foreign) }
        #expect(throws: EngineError.self) { try FormatMarker(decoding: Array("{\"format\": 0}".utf8)) }
    }

    private func head(packs count: UInt32) -> Head {
        var head = FormatSamples.head
        head.root.packs = (0..<count).map {
            var pack = head.root.packs[0]
            pack.name.number = $0
            pack.byteCount = 16 << 20
            pack.directoryOffset = pack.byteCount - UInt64(pack.directoryByteCount) - UInt64(PackFooter.byteCount)
            return pack
        }
        return head
    }

    /// One commit of the largest upload buffer, with all packs that may wait for a fold.
    @Test func theLargestCommitFitsAHead() throws {
        let head = head(packs: 16_384 + 1024)
        let decoded = try HeadFormat.decode(HeadFormat.encode(head))
        #expect(decoded.root.packs.count == head.root.packs.count)
    }

    @Test func aHeadBeyondItsCapIsRefusedBothWays() throws {
        let isRefused = (try? HeadFormat.encode(head(packs: 21_000))) == nil
        #expect(isRefused)
        #expect(throws: EngineError.self) {
            try HeadFormat.decode([UInt8](repeating: UInt8(ascii: " "), count: HeadFormat.byteLimit + 1))
        }
    }

    @Test func aHeadWithAFullPackListFits() throws {
        var head = FormatSamples.head
        head.root.packs = (0..<320).map {
            var pack = head.root.packs[0]
            pack.name.number = UInt32($0)
            return pack
        }
        #expect(try HeadFormat.decode(HeadFormat.encode(head)) == head)
    }
}
