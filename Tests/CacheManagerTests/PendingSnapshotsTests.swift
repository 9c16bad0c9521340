// SPDX-License-Identifier: Apache-2.0
import CacheManager
import Engine
import Foundation
import Messages
import TestSupport
import Testing
import Wire

/// Cuts that were promised, through bucket outages and deaths of the process.
struct PendingSnapshotsTests {
    private static func bytes(_ value: UInt8) -> [UInt8] { [UInt8](repeating: value, count: 4096) }
    private let first = SnapshotID(rawValue: 1)

    /// What the bucket alone holds of the block at this sector.
    private func block(_ head: Head, _ bucket: MemoryBucket, sector: UInt64) throws -> [UInt8] {
        let reader = ImageReader(root: head.root, volumeByteCount: head.byteCount) { key, byteOffset, byteCount in
            guard let bytes = bucket.objects[key]?.bytes else { throw BusFault(.internalError, "\(key) is missing") }
            return Array(bytes[Int(byteOffset)..<Int(byteOffset) + byteCount])
        }
        var found = [UInt8](repeating: 0, count: 4096)
        try reader.forEachExtent { blocks, content in
            guard case .bytes(let bytes) = content, blocks.start.rawValue <= sector / 8,
                sector / 8 < blocks.end.rawValue
            else { return }
            let start = Int(sector / 8 - blocks.start.rawValue) * 4096
            found = Array(bytes[start..<start + 4096])
        }
        return found
    }

    @Test func aCutIsPromisedAtOnceAndCompletedByItsCommit() throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create()
        try gateway.write(Self.bytes(1), to: volume.id, sector: 0)
        gateway.isBucketReachable = false
        let reply = try gateway.cut("db")
        #expect(reply.snapshots.map(\.uploadByteCount) == [4096])
        #expect(reply.snapshots.map(\.uploadedByteCount) == [0])
        // Written while the upload runs, and not in it.
        try gateway.write(Self.bytes(2), to: volume.id, sector: 0)
        #expect(try gateway.pending().map(\.isDecided) == [false])
        gateway.isBucketReachable = true
        gateway.run()
        let record = try #require(try gateway.settle().first)
        #expect(record.state == .completed && record.origin == .cut && record.gateway == gateway.gateway)
        #expect(try block(try #require(record.head), gateway.bucket, sector: 0) == Self.bytes(1))
        #expect(try gateway.read(volume.id, sector: 0, count: 8) == Self.bytes(2))
        #expect(try gateway.pending().isEmpty)
        #expect(try FileManager.default.contentsOfDirectory(atPath: gateway.directory + "/snapshots").isEmpty)
    }

    /// The commit of the cut lands after nobody wants its HEAD any more.
    @Test func aPromiseThatCannotBeWrittenDownIsNoneAndHarmsNothing() throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create()
        try gateway.write(Self.bytes(1), to: volume.id, sector: 0)
        gateway.isBucketReachable = false
        try FileManager.default.removeItem(atPath: gateway.directory + "/snapshots")
        let fault = try gateway.fault { try gateway.cut("db") }
        #expect(fault.message.contains("no snapshot was taken"))
        gateway.isBucketReachable = true
        gateway.run()
        #expect(try gateway.bucket.head(volume.id)?.commitNumber == 2)
        #expect(try gateway.pending().isEmpty)
        try FileManager.default.createDirectory(
            atPath: gateway.directory + "/snapshots", withIntermediateDirectories: false)
        try gateway.cut("db", first: 2)
        #expect(try gateway.settle().map(\.state) == [.completed])
    }

    /// One answer holds the HEADs of eight.
    @Test func allThatIsPromisedIsTold() throws {
        let gateway = try GatewayHarness()
        try gateway.create()
        for number in 1...20 as ClosedRange<UInt64> { try gateway.cut("db", first: number) }
        var told: [SnapshotID] = []
        var reply = gateway.control.pendingSnapshots()
        while true {
            #expect(reply.snapshots.count <= 8)
            told += reply.snapshots.map(\.id)
            guard reply.hasMore, let last = told.last else { break }
            reply = gateway.control.pendingSnapshots(after: last)
        }
        #expect(told == (1...20).map { SnapshotID(rawValue: $0) })
    }

    @Test func aPromiseSurvivesTheProcessWithWhatWasWrittenAfterIt() throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create()
        for value in 1...3 as ClosedRange<UInt8> {
            try gateway.write(Self.bytes(value), to: volume.id, sector: UInt64(value) * 8)
        }
        gateway.isBucketReachable = false
        try gateway.cut("db")
        try gateway.write(Self.bytes(9), to: volume.id, sector: 8)
        try gateway.write(Array(Self.bytes(8)[..<512]), to: volume.id, sector: 17)
        try gateway.restart()
        // Nobody asks the bucket for long.
        gateway.pass(3)
        #expect(try gateway.read(volume.id, sector: 8, count: 8) == Self.bytes(9))
        #expect(try gateway.pending().map(\.isDecided) == [false])
        gateway.isBucketReachable = true
        gateway.pass(1)
        gateway.pass(30)
        let head = try #require(try gateway.settle().first?.head)
        for value in 1...3 as ClosedRange<UInt8> {
            #expect(try block(head, gateway.bucket, sector: UInt64(value) * 8) == Self.bytes(value), "\(value)")
        }
        _ = try gateway.sync("db")
        let newest = try #require(try gateway.bucket.head(volume.id))
        #expect(try block(newest, gateway.bucket, sector: 8) == Self.bytes(9))
        #expect(newest.journalSequence > head.journalSequence)
    }

    @Test func aHeadThatNobodyHasKeptYetIsFoundAgain() throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create()
        try gateway.write(Self.bytes(1), to: volume.id, sector: 0)
        try gateway.cut("db")
        gateway.run()
        try gateway.restart()
        gateway.pass(1)
        #expect(try gateway.settle().map(\.state) == [.completed])
        _ = volume
    }

    @Test func aCleanVolumeIsCutWithoutACommit() throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create()
        try gateway.write(Self.bytes(1), to: volume.id, sector: 0)
        _ = try gateway.sync("db")
        let number = try gateway.bucket.head(volume.id)?.commitNumber
        gateway.isBucketReachable = false
        #expect(try gateway.cut("db").snapshots.first?.uploadByteCount == 0)
        #expect(try gateway.settle().first?.head?.commitNumber == number)
        // HEAD was free to go on.
        gateway.isBucketReachable = true
        try gateway.write(Self.bytes(2), to: volume.id, sector: 0)
        #expect(try gateway.sync("db").dirtyByteCount == 0)
    }

    @Test func aRepeatedRequestIsAnsweredAndNotCutAgain() throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create()
        try gateway.write(Self.bytes(1), to: volume.id, sector: 0)
        gateway.isBucketReachable = false
        let first = try gateway.cut("db").snapshots.first
        try gateway.write(Self.bytes(2), to: volume.id, sector: 0)
        #expect(try gateway.cut("db").snapshots.first?.record == first?.record)
    }

    /// Neither cut can be committed, because the bucket is away, and a third would have something to cut.
    private func gatewayWithTwoCuts() throws -> GatewayHarness {
        let gateway = try GatewayHarness()
        let volume = try gateway.create()
        gateway.isBucketReachable = false
        for value in 1...2 as ClosedRange<UInt8> {
            try gateway.write(Self.bytes(value), to: volume.id, sector: 0)
            try gateway.cut("db", first: UInt64(value))
        }
        try gateway.write(Self.bytes(3), to: volume.id, sector: 0)
        return gateway
    }

    private static let thirdCut = VolumeCutRequest(
        wishes: [.init(snapshot: SnapshotID(rawValue: 3), volume: VolumeReference("db"))], description: "",
        createdMilliseconds: 1)

    @Test func aThirdCutWaitsForThePlaceOfTheFirst() throws {
        let gateway = try gatewayWithTwoCuts()
        var answer: Result<VolumeCutRequest.Reply, BusFault>?
        gateway.control.cut(Self.thirdCut, within: .seconds(5)) { answer = $0 }
        for _ in 0..<20 { gateway.pass(0.3) }
        guard case .failure(let fault) = answer else { return #expect(Bool(false), "\(answer as Any)") }
        #expect(fault.code == .busy && fault.message.contains("no snapshot was taken"))
        gateway.isBucketReachable = true
        gateway.pass(1)
        #expect(try gateway.settle().count == 2)
        let third = try gateway.cut("db", first: 3)
        #expect(third.snapshots.count == 1)
    }

    /// The loop stood still for longer than the caller waits.
    @Test func nothingIsCutAfterTheCallerWasToldSo() throws {
        let gateway = try gatewayWithTwoCuts()
        var answer: Result<VolumeCutRequest.Reply, BusFault>?
        gateway.control.cut(Self.thirdCut, within: .seconds(5)) { answer = $0 }
        gateway.isBucketReachable = true
        gateway.run()
        gateway.pass(6)
        guard case .failure(let fault) = answer else { return #expect(Bool(false), "\(answer as Any)") }
        #expect(fault.code == .busy && fault.message.contains("no snapshot was taken"))
        gateway.pass(1)
        #expect(try gateway.pending().map(\.id) == [1, 2].map { SnapshotID(rawValue: $0) })
    }

    @Test func moreThanTheMostIsRefusedAndNothingIsCut() throws {
        let gateway = try GatewayHarness()
        for name in ["db", "log"] { try gateway.create(name) }
        gateway.shard.snapshots.limit = 2
        try gateway.cut("db")
        let fault = try gateway.fault { try gateway.cut("db", "log", first: 2) }
        #expect(fault.code == .busy && fault.message.contains("2 may"), "\(fault)")
        #expect(try gateway.pending().count == 1)
        try gateway.settle()
        try gateway.cut("db", "log", first: 2)
    }

    @Test func aDeletedVolumeTakesItsPromisesWithItAndSaysSo() throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create()
        try gateway.write(Self.bytes(1), to: volume.id, sector: 0)
        gateway.isBucketReachable = false
        try gateway.cut("db")
        var deleted: Result<VolumeDeleteRequest.Reply, BusFault>?
        var request = VolumeDeleteRequest(volume: VolumeReference("db"))
        gateway.control.delete(request, within: .seconds(30)) { deleted = $0 }
        guard case .failure(let fault) = deleted else { return #expect(Bool(false), "\(deleted as Any)") }
        #expect(fault.code == .inUse && fault.message.contains("\(first)"), "\(fault)")
        request.losesSnapshots = true
        gateway.control.delete(request, within: .seconds(30)) { deleted = $0 }
        gateway.run()
        // The tombstone waits for the commit that was under way.
        gateway.isBucketReachable = true
        gateway.run()
        #expect(try deleted?.get().id == volume.id)
        let record = try #require(try gateway.settle().first)
        #expect(record.state == .completed || record.reason?.contains("was deleted") == true)
    }

    @Test func aPromiseOfAVolumeThatIsFencedBecomesAnError() throws {
        let gateway = try GatewayHarness(gateway: 1)
        let volume = try gateway.create()
        try gateway.write(Self.bytes(1), to: volume.id, sector: 0)
        gateway.isBucketReachable = false
        try gateway.cut("db")
        let second = try GatewayHarness(bucket: gateway.bucket, gateway: 2)
        _ = try second.attach("db", force: true)
        gateway.isBucketReachable = true
        for _ in 0..<5 { gateway.pass(30) }
        let record = try #require(try gateway.settle().first)
        #expect(record.state == .error && record.reason?.contains("taken over") == true, "\(record)")
        #expect(try SnapshotFormat.decode(SnapshotFormat.encode(record)) == record)
    }

    @Test func aPromiseWhoseVolumeIsGoneAtTheStartIsAnError() throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create()
        try gateway.write(Self.bytes(1), to: volume.id, sector: 0)
        gateway.isBucketReachable = false
        try gateway.cut("db")
        try FileManager.default.removeItem(atPath: gateway.directory + "/volumes/\(volume.id)")
        try gateway.restart()
        #expect(try gateway.pending().first?.failure?.contains("left this gateway") == true)
    }

    /// As after a step back from a newer version, or damage to the file.
    @Test func aPromiseThatCannotBeReadKeepsItsVolumeAndNoOtherFromOpening() throws {
        let gateway = try GatewayHarness()
        let (volume, other) = (try gateway.create("db"), try gateway.create("log"))
        try gateway.write(Self.bytes(1), to: volume.id, sector: 0)
        gateway.isBucketReachable = false
        try gateway.cut("db")
        try gateway.write(Self.bytes(2), to: volume.id, sector: 0)
        let file = gateway.directory + "/snapshots/\(first).json"
        let whole = try String(contentsOfFile: file, encoding: .utf8)
        gateway.isBucketReachable = true
        for (text, word) in [("\"formatVersion\" : 1", "newer"), ("\"description\" : \"\"", "checksum")] {
            let changed = whole.replacingOccurrences(of: text, with: text.dropLast() + "9" + text.suffix(1))
            #expect(changed != whole)
            try changed.write(toFile: file, atomically: false, encoding: .utf8)
            try gateway.restart()
            let shown = gateway.control.list().volumes
            #expect(shown.map(\.status) == [.failed, .available], "\(shown)")
            #expect(shown[0].statusReason.contains(file) && shown[0].statusReason.contains(word), "\(shown[0])")
            #expect(try gateway.read(other.id, sector: 0, count: 8) == Self.bytes(0))
        }
        try whole.write(toFile: file, atomically: false, encoding: .utf8)
        try gateway.restart()
        gateway.pass(1)
        let head = try #require(try gateway.settle().first?.head)
        #expect(try block(head, gateway.bucket, sector: 0) == Self.bytes(1))
        #expect(try gateway.read(volume.id, sector: 0, count: 8) == Self.bytes(2))
    }

    // MARK: Groups

    @Test func aGroupIsCutInOneTurn() throws {
        let gateway = try GatewayHarness()
        let volumes = try ["db", "log"].map { try gateway.create($0) }
        for volume in volumes { try gateway.write(Self.bytes(1), to: volume.id, sector: 0) }
        let reply = try gateway.cut("db", "log", group: SnapshotGroupID(rawValue: 5))
        #expect(reply.snapshots.map(\.volume) == volumes.map(\.id))
        for volume in volumes { try gateway.write(Self.bytes(2), to: volume.id, sector: 0) }
        let records = try gateway.settle()
        #expect(records.map { $0.group?.members } == [[1, 2], [1, 2]].map { $0.map { SnapshotID(rawValue: $0) } })
        for record in records {
            #expect(try block(try #require(record.head), gateway.bucket, sector: 0) == Self.bytes(1))
        }
    }

    @Test func aGroupIsAllOrNothing() throws {
        let gateway = try GatewayHarness()
        try gateway.create("db")
        #expect(try gateway.fault { try gateway.cut("db", "nope") }.code == .unknownVolume)
        #expect(try gateway.fault { try gateway.cut("db", "db") }.code == .invalidArgument)
        #expect(try gateway.pending().isEmpty)
    }

    @Test func aPartOfAGroupIsNotCutAgain() throws {
        let gateway = try GatewayHarness()
        for name in ["db", "log"] { try gateway.create(name) }
        try gateway.cut("db", group: SnapshotGroupID(rawValue: 5))
        let before = try gateway.pending()
        let fault = try gateway.fault { try gateway.cut("db", "log", group: SnapshotGroupID(rawValue: 5)) }
        #expect(fault.code == .inUse && fault.message.contains("\(first)"), "\(fault)")
        #expect(try gateway.pending() == before)
    }

    private func hold(_ gateway: GatewayHarness) throws -> UInt64 {
        let reply: VolumeHoldRequest.Reply = try gateway.await {
            gateway.control.hold(
                VolumeHoldRequest(volumes: [VolumeReference("db")], holdMilliseconds: 100), answer: $0)
        }
        return reply.hold
    }

    @Test func writesWaitDuringAHoldAndGoOnWithTheCut() throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create()
        try gateway.write(Self.bytes(1), to: volume.id, sector: 0)
        let hold = try hold(gateway)
        let waiting = gateway.submit(.write, volume.id, sector: 0, count: 8, payload: Self.bytes(2))
        gateway.run()
        #expect(gateway.takeAnswer(waiting) == nil)
        #expect(try gateway.read(volume.id, sector: 0, count: 8) == Self.bytes(1))
        gateway.pass(0.05)
        let reply = try gateway.cut("db", group: SnapshotGroupID(rawValue: 5), hold: hold)
        // What an initiator saw begins with the hold.
        #expect(reply.pauseMicroseconds == 50_000 && gateway.control.holdCount == 0)
        #expect(gateway.shard.snapshots.figures.longestPauseNanoseconds == 50_000_000)
        #expect(gateway.takeAnswer(waiting)?.reply.status == .good)
        let head = try #require(try gateway.settle().first?.head)
        #expect(try block(head, gateway.bucket, sector: 0) == Self.bytes(1))
        #expect(try gateway.read(volume.id, sector: 0, count: 8) == Self.bytes(2))
    }

    @Test func aHoldEndsByItselfAndWithItTheChanceToCut() throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create()
        let hold = try hold(gateway)
        let waiting = gateway.submit(.write, volume.id, sector: 0, count: 8, payload: Self.bytes(2))
        gateway.run()
        gateway.pass(0.101)
        #expect(gateway.takeAnswer(waiting)?.reply.status == .good)
        #expect(gateway.control.holdCount == 0)
        let figures = gateway.shard.snapshots.figures
        #expect(figures.longestPauseNanoseconds >= 100_000_000 && figures.cutCount == 0)
        let fault = try gateway.fault { try gateway.cut("db", hold: hold) }
        #expect(fault.code == .busy && fault.message.contains("let go"))
        #expect(try gateway.pending().isEmpty)
    }
}
