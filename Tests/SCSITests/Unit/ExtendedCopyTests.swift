// SPDX-License-Identifier: Apache-2.0
import SCSI
import Testing
import Wire

@Suite struct ExtendedCopyTests {
    private static let unitVolume = TestUnit.make().volume
    private static let otherVolume = VolumeID(rawValue: 0x77)

    /// Identification descriptor with the NAA name of a volume.
    private static func target(_ volume: VolumeID = unitVolume, flags: UInt8 = 0) -> [UInt8] {
        [0xE4, flags, 0, 0, 1, 3, 0, 16, 0x60, 0x25, 0x34, 0xC0, 0, 0, 0, 0] + volume.rawValue.bytes
            + [0, 0, 0, 0, 0, 0, 2, 0]
    }

    private static func blocks(
        from source: UInt64, to destination: UInt64, count: UInt16, sourceIndex: UInt16 = 0, index: UInt16 = 0
    ) -> [UInt8] {
        [0x02, 0, 0, 0x18] + sourceIndex.bytes + index.bytes + [0, 0] + count.bytes + source.bytes + destination.bytes
    }

    private static func bytes(from source: UInt64, to destination: UInt64, byteCount: UInt32) -> [UInt8] {
        [0x0A, 0, 0, 0x1C, 0, 0, 0, 0] + byteCount.bytes + source.bytes + destination.bytes + [0, 0, 0, 0]
    }

    private static func list(
        id: UInt8 = 0, usage: UInt8 = 0, targets: [[UInt8]] = [target()], segments: [[UInt8]], inline: UInt32 = 0
    ) -> [UInt8] {
        let descriptors = targets.reduce([], +)
        let copies = segments.reduce([], +)
        let lengths = UInt16(descriptors.count).bytes + [0, 0, 0, 0] + UInt32(copies.count).bytes + inline.bytes
        return [id, 0x20 | usage << 3] + lengths + descriptors + copies
    }

    private static func cdb(_ length: Int) -> [UInt8] {
        [0x83, 0, 0, 0, 0, 0, 0, 0, 0, 0] + UInt32(length).bytes + [0, 0]
    }

    private func copy(_ list: [UInt8], _ owner: inout UnitOwner, from nexus: UInt64 = 1) -> DeviceServerAction {
        owner.perform(Self.cdb(list.count), list, from: nexus)
    }

    private func refuses(_ list: [UInt8], _ code: UInt16, length: Int? = nil, byte: UInt16? = nil) -> Bool {
        var owner = UnitOwner()
        guard case .complete(let result) = owner.perform(Self.cdb(length ?? list.count), list) else { return false }
        guard let sense = result.sense, sense.key == .illegalRequest, sense.additionalCode == code else { return false }
        return byte == nil || sense.fieldPointer == Sense.FieldPointer(isInCDB: false, byte: byte ?? 0, bit: nil)
    }

    private static let copyAborted = Answer.sense(.copyAborted, 0x0D02)

    // MARK: What is copied

    @Test func segmentsAreResolvedToVolumes() throws {
        var owner = UnitOwner()
        let list = Self.list(
            id: 9, targets: [Self.target(), Self.target(Self.otherVolume)],
            segments: [
                Self.blocks(from: 10, to: 20, count: 30, sourceIndex: 0, index: 1),
                Self.bytes(from: 1, to: 100, byteCount: 1024), Self.blocks(from: 0, to: 0, count: 0),
            ])
        let operation = try #require(copy(list, &owner).copyOperation)
        #expect(!operation.endsInFailure && operation.listID == 9 && operation.dataOutByteCount == list.count)
        #expect(operation.segments.count == 3)
        let first = operation.segments[0]
        #expect(first.source == Self.unitVolume && first.destination == Self.otherVolume)
        #expect(first.sectors == SectorRange(start: 10, count: 30) && first.destinationStart == 20)
        let second = operation.segments[1]
        #expect(second.sectors == SectorRange(start: 1, count: 2) && second.destinationStart == 100)
        #expect(second.source == Self.unitVolume && second.destination == Self.unitVolume)
        #expect(operation.segments[2].sectors.count == 0)
    }

    /// Addresses count in the blocks of the unit that they are of, lengths in those of the one that DC names.
    @Test func unitsMayHaveBlocksOfDifferentSizes() throws {
        func segments(_ list: [UInt8]) throws -> [CopyOperation.Segment] {
            var owner = UnitOwner(.fourKibibytes)
            let origin = owner.origin(1)
            let action = owner.server.perform(CDB(Self.cdb(list.count)), dataOut: list, from: origin) {
                CopyTarget(
                    volume: $0, sectorCount: TestUnit.sectorCount,
                    blockSize: $0 == Self.unitVolume ? .fourKibibytes : .sector)
            }
            return try #require(action.copyOperation).segments
        }
        var coarse = Self.target()
        coarse[30] = 0x10
        let targets = [coarse, Self.target(Self.otherVolume)]
        var ofDestination = Self.blocks(from: 10, to: 20, count: 3, sourceIndex: 0, index: 1)
        ofDestination[1] = 0x02
        let list = Self.list(
            targets: targets,
            segments: [
                Self.blocks(from: 10, to: 20, count: 3, sourceIndex: 0, index: 1), ofDestination,
                Self.blocks(from: 16, to: 5, count: 8, sourceIndex: 1, index: 0),
                Self.bytes(from: 1, to: 2, byteCount: 8192),
            ])
        let copied = try segments(list)
        #expect(copied.map(\.sectors.start) == [80, 80, 16, 8] && copied.map(\.sectors.count) == [24, 3, 8, 16])
        #expect(copied.map(\.destinationStart) == [20, 20, 40, 16])
    }

    @Test func aBlockLengthThatIsNotTheUnitsIsRefused() {
        var coarse = Self.target()
        coarse[30] = 0x10
        let segment = Self.blocks(from: 0, to: 8, count: 1)
        #expect(refuses(Self.list(targets: [coarse], segments: [segment]), 0x2600, byte: 16 + 29))
        var owner = UnitOwner(.fourKibibytes)
        let fine = Self.list(segments: [segment])
        #expect(owner.send(Self.cdb(fine.count), fine) == .illegal(0x2600))
        // 4,097 blocks are more than 16 MiB, and 2^61 have no bytes.
        let long = Self.list(targets: [coarse], segments: [Self.blocks(from: 0, to: 8, count: 4097)])
        #expect(owner.send(Self.cdb(long.count), long) == .illegal(0x2600))
        let far = Self.list(targets: [coarse], segments: [Self.blocks(from: 1 << 61, to: 8, count: 1)])
        #expect(owner.send(Self.cdb(far.count), far) == Self.copyAborted)
    }

    @Test func nothingToCopyIsGood() {
        var owner = UnitOwner()
        for list in [
            [], Self.list(targets: [], segments: []), Self.list(segments: []),
            Self.list(segments: [Self.blocks(from: 0, to: 0, count: 0)]),
            Self.list(segments: [Self.blocks(from: TestUnit.sectorCount, to: TestUnit.sectorCount, count: 0)]),
        ] {
            #expect(copy(list, &owner) == .complete(CommandResult(status: .good, transferByteCount: list.count)))
        }
    }

    @Test func aSegmentThatCannotBeCarriedOutAbortsTheCopyThere() throws {
        let end = TestUnit.sectorCount
        let bad = [
            Self.blocks(from: 0, to: 0, count: 1, sourceIndex: 2), Self.blocks(from: 0, to: 0, count: 1, index: 0xFFFF),
            Self.blocks(from: end, to: 0, count: 1), Self.blocks(from: 0, to: end - 1, count: 2),
            Self.blocks(from: .max, to: 0, count: 2), Self.blocks(from: 0, to: 1 << 63, count: 1),
            Self.blocks(from: 0, to: 0, count: 1, index: 1),
        ]
        var strange = Self.target()
        strange[8] = 0x61
        for segment in bad {
            var owner = UnitOwner()
            let targets = [Self.target(), strange]
            #expect(
                owner.send(Self.cdb(16 + 64 + 28), Self.list(targets: targets, segments: [segment])) == Self.copyAborted
            )
            let good = Self.blocks(from: 0, to: 8, count: 8)
            let operation = try #require(
                copy(Self.list(targets: targets, segments: [good, segment, good]), &owner).copyOperation)
            #expect(operation.segments.count == 1 && operation.endsInFailure)
            let result = owner.server.finishCopy(operation, completedSegmentCount: 1, isGood: true)
            #expect(Answer(result) == Self.copyAborted && result.transferByteCount == operation.dataOutByteCount)
        }
    }

    @Test func unitsNamedInOtherWaysAreNotFound() {
        for (byte, value) in [(4, 2), (5, 1), (5, 0x13), (7, 15), (7, 8)] as [(Int, UInt8)] {
            var owner = UnitOwner()
            var target = Self.target()
            target[byte] = value
            let list = Self.list(targets: [target], segments: [Self.blocks(from: 0, to: 8, count: 1)])
            #expect(owner.send(Self.cdb(list.count), list) == Self.copyAborted)
        }
    }

    @Test func unitsTheInitiatorMayNotUseAreNotFound() throws {
        var owner = UnitOwner()
        let list = Self.list(segments: [Self.blocks(from: 0, to: 8, count: 1)])
        let origin = owner.origin(1)
        let action = owner.server.perform(CDB(Self.cdb(list.count)), dataOut: list, from: origin)
        let result = try #require(action.completed)
        #expect(Answer(result) == Self.copyAborted)
    }

    @Test func luIDTypeAndBlockLengthZeroAreAccepted() throws {
        for flags in [0x40, 0x80, 0xC0, 0x05] as [UInt8] {
            var owner = UnitOwner()
            var target = Self.target(flags: flags)
            target[30] = 0
            _ = try #require(
                copy(Self.list(targets: [target], segments: [Self.blocks(from: 0, to: 8, count: 1)]), &owner)
                    .copyOperation)
        }
    }

    @Test func aProtectedUnitIsOnlyRead() throws {
        var owner = UnitOwner { $0.isReadOnly = true }
        let targets = [Self.target(), Self.target(Self.otherVolume)]
        let writing = Self.list(
            targets: targets, segments: [Self.blocks(from: 0, to: 8, count: 1, sourceIndex: 1, index: 0)])
        #expect(owner.send(Self.cdb(writing.count), writing) == .sense(.dataProtect, 0x2700))
        let reading = Self.list(
            targets: targets, segments: [Self.blocks(from: 0, to: 8, count: 1, sourceIndex: 0, index: 1)])
        _ = try #require(copy(reading, &owner).copyOperation)
    }

    // MARK: What is refused

    @Test func lengthsAreJudgedFirst() {
        let list = Self.list(segments: [Self.blocks(from: 0, to: 8, count: 1)])
        for length in 1..<list.count { #expect(refuses(Array(list.prefix(length)), 0x1A00), "\(length)") }
        for received in 0..<list.count { #expect(refuses(Array(list.prefix(received)), 0x1A00, length: list.count)) }
        var uneven = list
        uneven[3] = 31
        #expect(refuses(uneven, 0x1A00))
        for byte in [2, 3, 8, 9, 10, 11, 12, 13, 14] {
            var inflated = list
            inflated[byte] = 0xFF
            #expect(refuses(inflated, 0x1A00), "\(byte)")
        }
        #expect(refuses(Self.list(segments: [[UInt8](repeating: 0, count: 4096)]), 0x1A00))
        #expect(refuses(Self.list(segments: [list], inline: 4) + [0, 0, 0, 0], 0x2600, byte: 12))
        #expect(refuses(Self.list(usage: 1, segments: []), 0x2600, byte: 1))
    }

    @Test func targetsAreJudgedBeforeSegments() {
        let badSegment = [UInt8](repeating: 0, count: 28)
        let nine = [[UInt8]](repeating: Self.target(), count: 9)
        #expect(refuses(Self.list(targets: nine, segments: [badSegment]), 0x2606))
        for type in UInt8.min...UInt8.max where type != 0xE4 {
            var target = Self.target()
            target[0] = type
            #expect(refuses(Self.list(targets: [Self.target(), target], segments: [badSegment]), 0x2607, byte: 48))
        }
        var target = Self.target()
        target[7] = 21
        #expect(refuses(Self.list(targets: [target], segments: []), 0x2600, byte: 16 + 7))
        target = Self.target()
        target[30] = 0x04
        #expect(refuses(Self.list(targets: [target], segments: []), 0x2600, byte: 16 + 29))
    }

    @Test func segmentsAreCheckedOneAfterTheOther() {
        let good = Self.blocks(from: 0, to: 8, count: 1)
        for type in UInt8.min...UInt8.max where ![0x02, 0x0A].contains(type) {
            var segment = good
            segment[0] = type
            #expect(refuses(Self.list(segments: [good, segment]), 0x2609, byte: 48 + 28))
        }
        #expect(refuses(Self.list(segments: [[[UInt8]]](repeating: [good], count: 65).flatMap(\.self)), 0x2608))
        for length in 0x19...0xFF as ClosedRange<UInt8> {
            var segment = good
            segment[3] = length
            #expect(refuses(Self.list(segments: [segment]), 0x1A00))
        }
        for length in 0..<0x18 as Range<UInt8> {
            var segment = good
            segment[3] = length
            #expect(refuses(Self.list(segments: [segment]), 0x2600, byte: 48 + 2))
        }
        for tail in 1..<4 { #expect(refuses(Self.list(segments: [good, Array(good.prefix(tail))]), 0x1A00)) }
    }

    /// What follows the segment descriptors is none of theirs.
    @Test func segmentsEndWithTheirList() {
        let trailing = [UInt8](repeating: 0, count: 40)
        for cut in 1..<28 {
            var list = Self.list(segments: [Self.blocks(from: 0, to: 8, count: 1)]) + trailing
            list[11] = UInt8(cut)
            #expect(refuses(list, 0x1A00), "\(cut)")
        }
        var owner = UnitOwner()
        var list = Self.list(usage: 3, segments: [Self.blocks(from: 0, to: 8, count: 1)]) + trailing
        #expect(copy(list, &owner).copyOperation?.segments.count == 1)
        list[11] = 0
        #expect(owner.send(Self.cdb(list.count), list) == .good)
    }

    @Test func segmentsHaveALimitedWholeNumberOfSectors() throws {
        #expect(refuses(Self.list(segments: [Self.blocks(from: 0, to: 0, count: 32769)]), 0x2600, byte: 48 + 10))
        for byteCount in [511, 513, 16_777_216 + 512] as [UInt32] {
            #expect(refuses(Self.list(segments: [Self.bytes(from: 0, to: 0, byteCount: byteCount)]), 0x2600, byte: 56))
        }
        for byte in 28..<32 {
            var segment = Self.bytes(from: 0, to: 0, byteCount: 512)
            segment[byte] = 1
            #expect(refuses(Self.list(segments: [segment]), 0x2600, byte: UInt16(48 + byte & ~1)))
        }
        var owner = UnitOwner()
        let largest = Self.list(segments: [Self.bytes(from: 0, to: 65536, byteCount: 16_777_216)])
        let operation = try #require(copy(largest, &owner).copyOperation)
        #expect(operation.segments[0].sectors.count == 32768)
    }

    @Test func theAnnouncedLimitsAreThoseEnforced() throws {
        var owner = UnitOwner()
        let result = try #require(owner.perform([0x84, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]).completed)
        let data = result.dataIn
        #expect(data.count == 47 && data[0...4] == [0, 0, 0, 43, 1])
        #expect(data[8...11] == [0, 8, 0, 64] && data[12...15] == [0, 0, 0x10, 0] && data[16...19] == [1, 0, 0, 0])
        #expect(data[20..<34].allSatisfy { $0 == 0 })
        #expect(data[34...37] == [0, 8, 8, 9] && data[43...46] == [3, 0x02, 0x0A, 0xE4])
        let most = Self.list(
            targets: [[UInt8]](repeating: Self.target(), count: 8),
            segments: [[UInt8]](repeating: Self.blocks(from: 0, to: 8, count: 8), count: 64))
        let operation = try #require(copy(most, &owner).copyOperation)
        #expect(operation.segments.count == 64)
    }

    // MARK: Status

    private func status(_ id: UInt8, _ owner: inout UnitOwner, from nexus: UInt64 = 1) -> [UInt8]? {
        let cdb: [UInt8] = [0x84, 0, id, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255]
        guard case .complete(let result) = owner.perform(cdb, from: nexus) else { return nil }
        if result.sense?.additionalCode == 0x2400, result.sense?.fieldPointer?.byte == 2 { return nil }
        return result.dataIn
    }

    @Test func theStatusOfACopyIsToldToItsNexus() throws {
        var owner = UnitOwner()
        let list = Self.list(
            id: 5, segments: [Self.blocks(from: 0, to: 8, count: 8), Self.blocks(from: 0, to: 16, count: 4)])
        #expect(status(5, &owner) == nil)
        let operation = try #require(copy(list, &owner).copyOperation)
        #expect(status(5, &owner) == [0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0])
        #expect(owner.send(Self.cdb(list.count), list) == .illegal(0x0016))
        let result = owner.server.finishCopy(operation, completedSegmentCount: 2, isGood: true)
        #expect(result == CommandResult(status: .good, transferByteCount: list.count))
        #expect(status(5, &owner) == [0, 0, 0, 8, 1, 0, 2, 0, 0, 0, 0x18, 0])
        #expect(status(5, &owner, from: 2) == nil && status(4, &owner) == nil)
        try owner.restart()
        #expect(status(5, &owner)?[4] == 1)
        owner.lose(1)
        owner.attach(1)
        _ = owner.attentions(1)
        #expect(status(5, &owner) == nil)
    }

    @Test func resetsDropTheStatus() throws {
        for kind in [DeviceServer.ResetKind.logicalUnit, .targetWarm, .targetCold] {
            var owner = UnitOwner()
            let list = Self.list(id: 5, segments: [])
            #expect(owner.send(Self.cdb(list.count), list) == .good && status(5, &owner) != nil)
            owner.reset(kind)
            #expect(owner.attentions(1).count == 1 && status(5, &owner) == nil)
        }
    }

    /// What runs when the unit is reset or the session ends comes to its end, but is nobody's any more.
    @Test func aCopyThatLostItsSessionFreesItsPlace() throws {
        let events: [(inout UnitOwner) -> Void] = [
            { $0.reset(.logicalUnit) }, { $0.reset(.targetCold) }, { $0.lose(1) }, { $0.attach(1) },
            { $0.server.lose(allThrough: UnitOwner.frontend) },
        ]
        for event in events {
            var owner = UnitOwner()
            let lists = (UInt8(0)..<8).map { Self.list(id: $0, segments: [Self.blocks(from: 0, to: 8, count: 8)]) }
            let running = lists.compactMap { copy($0, &owner).copyOperation }
            #expect(running.count == 8)
            event(&owner)
            owner.attach(1)
            _ = owner.attentions(1)
            #expect(status(5, &owner) == nil)
            // Each place is taken until the copy has ended; the list identifier is not.
            #expect(owner.send(Self.cdb(lists[5].count), lists[5]) == .busy)
            let result = owner.server.finishCopy(running[5], completedSegmentCount: 0, isGood: false)
            #expect(Answer(result) == Self.copyAborted && status(5, &owner) == nil)
            let next = try #require(copy(lists[5], &owner).copyOperation)
            #expect(status(5, &owner)?[4] == 0)
            for operation in running {
                _ = owner.server.finishCopy(operation, completedSegmentCount: 0, isGood: false)
            }
            #expect(status(5, &owner)?[4] == 0)
            _ = owner.server.finishCopy(next, completedSegmentCount: 1, isGood: true)
            #expect(status(5, &owner)?[4] == 1)
        }
    }

    /// The answers of a frontend that has ended are forgotten, also those that are still to come.
    @Test func aCopyOfAFrontendThatEndedLeavesNoAnswer() throws {
        var owner = UnitOwner(nexuses: [1])
        let operation = try #require(
            copy(Self.list(id: 5, segments: [Self.blocks(from: 0, to: 8, count: 8)]), &owner).copyOperation)
        owner.server.lose(allThrough: UnitOwner.frontend)
        _ = owner.server.finishCopy(operation, completedSegmentCount: 1, isGood: true)
        #expect(owner.server.state.answered == CommandMemory())
    }

    @Test func aFailedCopyTellsHowFarItCame() throws {
        var owner = UnitOwner()
        let list = Self.list(
            id: 5, segments: [Self.blocks(from: 0, to: 8, count: 8), Self.blocks(from: 0, to: 16, count: 4)])
        let operation = try #require(copy(list, &owner).copyOperation)
        let result = owner.server.finishCopy(operation, completedSegmentCount: 1, isGood: false)
        #expect(Answer(result) == Self.copyAborted)
        #expect(status(5, &owner) == [0, 0, 0, 8, 2, 0, 1, 0, 0, 0, 0x10, 0])
    }

    @Test func aStatusThatIsNotWantedIsNotKept() throws {
        var owner = UnitOwner()
        let list = Self.list(id: 5, usage: 3, segments: [Self.blocks(from: 0, to: 8, count: 8)])
        let operation = try #require(copy(list, &owner).copyOperation)
        #expect(status(5, &owner) == nil)
        _ = owner.server.finishCopy(operation, completedSegmentCount: 1, isGood: true)
        #expect(status(5, &owner) == nil)
    }

    @Test func copiesAndTheirResultsAreBounded() {
        var owner = UnitOwner()
        var running: [CopyOperation] = []
        for id in UInt8(0)..<8 {
            let list = Self.list(id: id, segments: [Self.blocks(from: 0, to: 8, count: 8)])
            if case .copy(let operation) = copy(list, &owner) { running.append(operation) }
        }
        #expect(running.count == 8)
        let list = Self.list(id: 8, segments: [Self.blocks(from: 0, to: 8, count: 8)])
        #expect(owner.send(Self.cdb(list.count), list) == .busy)
        for operation in running { _ = owner.server.finishCopy(operation, completedSegmentCount: 1, isGood: true) }
        for id in UInt8(8)..<40 {
            let list = Self.list(id: id, segments: [Self.blocks(from: 0, to: 8, count: 0)])
            #expect(owner.send(Self.cdb(list.count), list) == .good)
        }
        #expect((UInt8(0)..<40).filter { status($0, &owner) != nil } == Array(24..<40))
    }
}
