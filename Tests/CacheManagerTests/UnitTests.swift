// SPDX-License-Identifier: Apache-2.0
import CacheManager
import Engine
import Messages
import Platform
import SCSI
import TestSupport
import Testing
import Wire

/// What the cache manager does with the logical units of its volumes: the state that outlives it, and what the device
/// server wants of the volume.
@Suite struct UnitTests {
    private static let conflict = IOReply.Status.reservationConflict
    let gateway: GatewayHarness
    let volume: VolumeID
    private let sector = [UInt8](repeating: 7, count: 512)

    init() throws {
        gateway = try GatewayHarness()
        volume = try gateway.create().id
    }

    /// A session begins, and its first unit attention is taken.
    func login(_ nexus: UInt64, to volume: VolumeID? = nil) throws {
        let port = Array("iqn.2026-11.test:host-\(nexus & 0xff),i,0x00000000000\(nexus & 0xf)".utf8)
        #expect(
            try gateway.perform(.nexusBarrier, volume ?? self.volume, payload: port, nexus: nexus).reply.status == .good
        )
        #expect(try testUnitReady(nexus, volume).reply.status == .checkCondition)
        #expect(try testUnitReady(nexus, volume).reply.status == .good)
    }

    func testUnitReady(
        _ nexus: UInt64, _ volume: VolumeID? = nil
    ) throws -> DataPlaneServer<String>.Answer {
        try gateway.perform(.check, volume ?? self.volume, payload: [UInt8](repeating: 0, count: 16), nexus: nexus)
    }

    func command(
        _ cdb: [UInt8], _ dataOut: [UInt8] = [], nexus: UInt64 = 1, on volume: VolumeID? = nil
    ) throws -> DataPlaneServer<String>.Answer {
        let padded = cdb + [UInt8](repeating: 0, count: 16 - cdb.count)
        return try gateway.perform(.deviceServerCommand, volume ?? self.volume, payload: padded + dataOut, nexus: nexus)
    }

    func reserveOut(_ action: UInt8, key: UInt8, new: UInt8 = 0, type: UInt8 = 0, nexus: UInt64) throws
        -> IOReply.Status
    {
        let list = [0, 0, 0, 0, 0, 0, 0, key] + [0, 0, 0, 0, 0, 0, 0, new] + [UInt8](repeating: 0, count: 8)
        return try command([0x5f, action, type, 0, 0, 0, 0, 0, 24, 0], list, nexus: nexus).reply.status
    }

    func sense(_ answer: DataPlaneServer<String>.Answer) -> (key: UInt8, code: UInt16)? {
        guard answer.reply.status == .checkCondition, let bytes = answer.payload?.array, bytes.count == 18 else {
            return nil
        }
        return (bytes[2] & 0xf, UInt16(bytes[12]) << 8 | UInt16(bytes[13]))
    }

    func write(_ nexus: UInt64) throws -> IOReply.Status {
        try gateway.perform(.write, volume, sector: 0, count: 1, payload: sector, nexus: nexus).reply.status
    }

    @Test func reservationsOutliveARestartAndEndWithTheirHolder() throws {
        try login(1)
        try login(2)
        #expect(try reserveOut(6, key: 0, new: 1, nexus: 1) == .good)
        #expect(try reserveOut(1, key: 1, type: 5, nexus: 1) == .good)
        #expect(try write(2) == Self.conflict)
        try gateway.restart()
        #expect(try write(2) == Self.conflict)
        #expect(try write(1) == .good)
        // Of a type for registrants only, releasing it is told to the others that are registered.
        #expect(try reserveOut(6, key: 0, new: 2, nexus: 2) == .good)
        #expect(try reserveOut(2, key: 1, type: 5, nexus: 1) == .good)
        try gateway.restart()
        #expect(sense(try testUnitReady(2)).map { $0 == (6, 0x2a04) } ?? false)
        #expect(try write(2) == .good)
    }

    @Test func aCommandThatComesAgainIsNotCarriedOutAgain() throws {
        try login(1)
        let list = [UInt8](repeating: 0, count: 15) + [9] + [UInt8](repeating: 0, count: 8)
        let cdb: [UInt8] = [0x5f, 0, 0, 0, 0, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0]
        let number = gateway.submit(.deviceServerCommand, volume, payload: cdb + list)
        gateway.run()
        #expect(gateway.takeAnswer(number)?.reply.status == .good)
        for _ in 0..<2 {
            // Registering anew with key 0 would be a conflict.
            _ = gateway.submit(.deviceServerCommand, volume, payload: cdb + list, number: number)
            gateway.run()
            #expect(gateway.takeAnswer(number)?.reply.status == .good)
            try gateway.restart()
        }
    }

    /// What does not rest on a state that cannot be saved goes on without.
    @Test func initiatorsLogInWhileTheStateCannotBeSaved() throws {
        try login(1)
        #expect(try reserveOut(6, key: 0, new: 1, nexus: 1) == .good)
        let folder = gateway.directory + "/volumes/\(volume)"
        try Platform.FileSystem.rename(folder, to: folder + ".away")
        try login(2)
        try login(1)
        #expect(try readsWriteCache(2, 0x3f) == true)
        #expect(try write(2) == .good)
        #expect(try gateway.perform(.nexusLoss, volume, nexus: 2).reply.status == .good)
        // A frontend that may still send what it has must not come first again.
        let other = ServiceInstance(rawValue: 77)
        #expect(gateway.server.hello(other))
        let port = Array("iqn.2026-11.test:host-1,i,0x000000000001".utf8)
        let takeOver = gateway.submit(.nexusBarrier, volume, payload: port, nexus: 1, from: other)
        gateway.run()
        #expect(gateway.takeAnswer(takeOver) == nil)
        // Its request comes again after a second.
        _ = gateway.submit(.nexusBarrier, volume, payload: port, number: takeOver, nexus: 1, from: other)
        gateway.run()
        #expect(gateway.takeAnswer(takeOver) == nil)
        try Platform.FileSystem.rename(folder + ".away", to: folder)
        gateway.pass(1.1)
        #expect(gateway.takeAnswer(takeOver)?.reply.status == .good)
    }

    @Test func anAnswerWaitsUntilTheStateIsOnTheDisk() throws {
        try login(1)
        let folder = gateway.directory + "/volumes/\(volume)"
        try Platform.FileSystem.rename(folder, to: folder + ".away")
        let number = gateway.submit(
            .deviceServerCommand, volume, payload: [0x16] + [UInt8](repeating: 0, count: 15))
        gateway.run()
        #expect(gateway.takeAnswer(number) == nil)
        let (status, reason) = try #require(gateway.shard.volumes[volume]).status(bucketProblem: nil)
        #expect(status == .uploadStalled && reason.contains("logical unit"))
        try Platform.FileSystem.rename(folder + ".away", to: folder)
        gateway.pass(1.1)
        #expect(gateway.takeAnswer(number)?.reply.status == .good)
        #expect(try #require(gateway.shard.volumes[volume]).status(bucketProblem: nil).0 == .available)
    }

    @Test func aRepeatedReadTakesNoUnitAttention() throws {
        try login(1)
        let number = gateway.submit(.read, volume, sector: 0, count: 1)
        gateway.run()
        #expect(gateway.takeAnswer(number)?.reply.status == .good)
        #expect(try gateway.perform(.taskManagement, volume, payload: [5], nexus: 2).reply.status == .good)
        let request = IORequest(
            volume: volume, frontend: GatewayHarness.frontend, number: number, lowestOpenNumber: 0,
            deadlineMilliseconds: 0, nexus: 1, operation: .read, flags: .repeated,
            sectors: SectorRange(start: 0, count: 1), payloadByteCount: 0)
        unsafe gateway.server.receive(
            request, payload: UnsafeRawBufferPointer(start: nil, count: 0), from: "frontend", at: gateway.shard.now)
        gateway.run()
        #expect(gateway.takeAnswer(number)?.reply.status == .good)
        #expect(sense(try testUnitReady(1)).map { $0 == (6, 0x2903) } ?? false)
    }

    /// They end with the next list of volumes; only then it is over for the one who asked.
    @Test func aColdResetWaitsForTheSessionsOfOtherFrontends() throws {
        try login(1)
        try login(2)
        let other = ServiceInstance(rawValue: 77)
        #expect(gateway.server.hello(other))
        for nexus in [3, 4] as [UInt64] {
            let port = Array("iqn.2026-11.test:host-\(nexus),i,0x00000000000\(nexus)".utf8)
            let begun = try gateway.perform(.nexusBarrier, volume, payload: port, nexus: nexus, from: other)
            #expect(begun.reply.status == .good)
        }
        func isAnswered(_ number: UInt64) -> Bool { gateway.takeAnswer(number)?.reply.status == .good }
        let first = gateway.submit(.taskManagement, volume, payload: [7], nexus: 1)
        gateway.run()
        #expect(!isAnswered(first))
        _ = try gateway.perform(.nexusLoss, volume, nexus: 3, from: other)
        #expect(!isAnswered(first))
        _ = try gateway.perform(.nexusLoss, volume, nexus: 4, from: other)
        #expect(isAnswered(first))
        // A frontend that does nothing is not waited for.
        let port = Array("iqn.2026-11.test:host-3,i,0x000000000003".utf8)
        _ = try gateway.perform(.nexusBarrier, volume, payload: port, nexus: 3, from: other)
        let second = gateway.submit(.taskManagement, volume, payload: [7], nexus: 1)
        gateway.run()
        #expect(!isAnswered(second))
        gateway.pass(3.1)
        #expect(isAnswered(second))
    }

    @Test func aColdResetIsCountedOnceAndEndsReservations() throws {
        try login(1)
        try login(2)
        #expect(try command([0x16, 0, 0, 0, 0, 0], nexus: 1).reply.status == .good)
        #expect(try write(2) == Self.conflict)
        let number = gateway.submit(.taskManagement, volume, payload: [7], nexus: 2)
        gateway.run()
        #expect(gateway.takeAnswer(number)?.reply.status == .good)
        _ = gateway.submit(.taskManagement, volume, payload: [7], number: number, nexus: 2)
        gateway.run()
        #expect(gateway.control.list().volumes[0].access?.coldResetCount == 1)
        #expect(sense(try testUnitReady(1)).map { $0 == (6, 0x2901) } ?? false)
        #expect(try testUnitReady(2).reply.status == .checkCondition)
        #expect(try write(2) == .good)
    }

    @Test func aNexusThatIsLostLosesWhatItReserved() throws {
        try login(1)
        try login(2)
        #expect(try command([0x16, 0, 0, 0, 0, 0], nexus: 1).reply.status == .good)
        #expect(try write(2) == Self.conflict)
        #expect(try gateway.perform(.nexusLoss, volume, nexus: 1).reply.status == .good)
        #expect(try write(2) == .good)
        // It learns of the loss when it comes back.
        let port = Array("iqn.2026-11.test:host-1,i,0x000000000001".utf8)
        _ = try gateway.perform(.nexusBarrier, volume, payload: port, nexus: 1)
        #expect(sense(try testUnitReady(1)).map { $0 == (6, 0x2907) } ?? false)
    }

    @Test func whatCannotBeReadIsNotOverwritten() throws {
        try login(1)
        #expect(try reserveOut(6, key: 0, new: 1, nexus: 1) == .good)
        #expect(try reserveOut(1, key: 1, type: 5, nexus: 1) == .good)
        let path = "\(gateway.directory)/volumes/\(volume)/unit.json"
        let saved = try Platform.FileSystem.readFile(path, limit: 1 << 20)
        let damaged = Array(saved.dropLast(saved.count / 2))
        try Platform.FileSystem.replaceFile(path, with: damaged)
        try gateway.restart()
        #expect(try #require(gateway.shard.volumes[volume]).problem != nil)
        for _ in 0..<2 { #expect(sense(try testUnitReady(1)).map { $0 == (2, 0x0403) } ?? false) }
        #expect(sense(try command([0x5e, 0, 0, 0, 0, 0, 0, 0, 255, 0]))?.key == 2)
        let port = Array("iqn.2026-11.test:host-2,i,0x000000000002".utf8)
        #expect(try gateway.perform(.nexusBarrier, volume, payload: port, nexus: 2).reply.status == .good)
        #expect(try gateway.perform(.nexusLoss, volume, nexus: 1).reply.status == .good)
        gateway.shard.revoke(GatewayHarness.frontend)
        let wish = VolumeReservationsRequest(volume: VolumeReference("db"), clears: true)
        let refused = try gateway.fault { _ = try gateway.await { gateway.control.reservations(wish, answer: $0) } }
        #expect(refused.code == .notReady)
        gateway.run()
        #expect(try Platform.FileSystem.readFile(path, limit: 1 << 20) == damaged)
        try Platform.FileSystem.replaceFile(path, with: saved)
        try gateway.restart()
        #expect(try write(2) == Self.conflict)
    }

    @Test func aFrontendThatIsGoneAfterARestartTakesItsNexusesWithIt() throws {
        try login(1)
        let gone = ServiceInstance(rawValue: 0xf2)
        #expect(gateway.server.hello(gone))
        let port = Array("iqn.2026-11.test:host-3,i,0x000000000003".utf8)
        #expect(try gateway.perform(.nexusBarrier, volume, payload: port, nexus: 3, from: gone).reply.status == .good)
        let reserve: [UInt8] = [0x16] + [UInt8](repeating: 0, count: 15)
        for expected in [IOReply.Status.checkCondition, .good] {
            #expect(
                try gateway.perform(.deviceServerCommand, volume, payload: reserve, nexus: 3, from: gone).reply.status
                    == expected)
        }
        try gateway.restart()
        #expect(try write(1) == Self.conflict)
        // What only its own frontend may say of a nexus, no other one says.
        #expect(
            try gateway.perform(.read, volume, sector: 0, count: 1, nexus: 3).reply.status == .refused)
        // It has not said hello to this run.
        #expect(
            try gateway.perform(.read, volume, sector: 0, count: 1, nexus: 3, from: gone).reply.status
                == .helloRequired)
        gateway.pass(29)
        gateway.server.heard(GatewayHarness.frontend)
        gateway.pass(2)
        #expect(gateway.server.revokeSilentFrontends() == [gone])
        gateway.run()
        #expect(try write(1) == .good)
    }

    @Test func aVolumeWithRegistrationsKeepsItsName() throws {
        try login(1)
        #expect(try reserveOut(6, key: 0, new: 1, nexus: 1) == .good)
        let change = VolumeChangeRequest(volume: VolumeReference("db"), name: "ledger")
        let refused = try gateway.fault {
            _ = try gateway.await { gateway.control.change(change, within: .seconds(10), answer: $0) }
        }
        #expect(refused.code == .inUse)
        #expect(try reserveOut(0, key: 1, new: 0, nexus: 1) == .good)
        #expect(
            try gateway.await { gateway.control.change(change, within: .seconds(10), answer: $0) }.name == "ledger")
    }

    // MARK: What needs the volume

    /// One block-to-block segment between two volumes that the host is logged in to.
    private func copyCommand(from source: VolumeID, to destination: VolumeID, count: UInt8) -> [UInt8] {
        func target(_ volume: VolumeID) -> [UInt8] {
            let name: [UInt8] = [0x60, 0x25, 0x34, 0xc0, 0, 0, 0, 0]  // NAA 6, our company id.
            let id = (0..<8).map { UInt8(truncatingIfNeeded: volume.rawValue >> UInt64(56 - 8 * $0)) }
            return [0xe4, 0, 0, 0, 1, 3, 0, 16] + name + id + [0, 0, 0, 0] + [0, 0, 2, 0]
        }
        let segment: [UInt8] = [2, 0, 0, 0x18, 0, 0, 0, 1, 0, 0, 0, count] + [UInt8](repeating: 0, count: 16)
        let list =
            [UInt8](arrayLiteral: 1, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 28, 0, 0, 0, 0)
            + target(source) + target(destination) + segment
        return [0x83, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, UInt8(list.count), 0, 0] + list
    }

    private func copy(from source: VolumeID, to destination: VolumeID, count: UInt8, nexus: UInt64) throws
        -> DataPlaneServer<String>.Answer
    {
        let payload = copyCommand(from: source, to: destination, count: count)
        return try gateway.perform(.deviceServerCommand, source, payload: payload, nexus: nexus)
    }

    @Test func aCopyGoesFromOneVolumeToAnotherThatTheHostMayUse() throws {
        let other = try gateway.create("other").id
        let stranger = try gateway.create("stranger").id
        try login(1)
        try login(0x101, to: other)
        try gateway.write(sector + [UInt8](repeating: 8, count: 512), to: volume, sector: 0)
        #expect(try copy(from: volume, to: other, count: 2, nexus: 1).reply.status == .good)
        let copied = try gateway.perform(.read, other, sector: 0, count: 2, nexus: 0x101).payload?.array
        #expect(copied == sector + [UInt8](repeating: 8, count: 512))
        let refused = sense(try copy(from: volume, to: stranger, count: 1, nexus: 1))
        #expect(refused.map { $0 == (0xa, 0x0d02) } ?? false, "copy aborted")
        // A reservation of the other volume keeps the copy out.
        #expect(try command([0x16, 0, 0, 0, 0, 0], nexus: 0x101, on: other).reply.status == .good)
        #expect(sense(try copy(from: volume, to: other, count: 1, nexus: 1))?.key == 0xa)
    }

    /// Fills the upload buffer of a volume until its writes wait.
    private func stall(_ volume: VolumeID) throws {
        gateway.isBucketReachable = false
        let piece = [UInt8](repeating: 1, count: 256 << 10)
        for place in 0..<400 {
            let number = gateway.submit(
                .write, volume, sector: UInt64(place + 1) * 512, count: 512, payload: piece, nexus: 0x101)
            gateway.pass(1)
            if gateway.takeAnswer(number) == nil { return }
        }
        Issue.record("the buffer takes everything")
    }

    /// A copy whose write waits for room.
    private func startCopy() throws -> (destination: VolumeID, number: UInt64, payload: [UInt8]) {
        let other = try gateway.create("other").id
        try login(1)
        try login(2)
        try login(0x101, to: other)
        try gateway.write(sector, to: volume, sector: 0)
        try stall(other)
        let payload = copyCommand(from: volume, to: other, count: 1)
        let number = gateway.submit(.deviceServerCommand, volume, payload: payload)
        gateway.run()
        #expect(gateway.takeAnswer(number) == nil)
        return (other, number, payload)
    }

    private func firstByte(of volume: VolumeID) throws -> UInt8? {
        gateway.isBucketReachable = true
        for _ in 0..<200 { gateway.pass(1) }
        return try gateway.perform(.read, volume, sector: 0, count: 1, nexus: 0x101).payload?.array.first
    }

    @Test func aCopyStandsStillBehindABarrierAndGoesOnWhenItsCommandComesAgain() throws {
        let copy = try startCopy()
        #expect(try gateway.perform(.nexusBarrier, volume).reply.status == .good)
        #expect(try firstByte(of: copy.destination) == 0)
        #expect(gateway.takeAnswer(copy.number) == nil)
        _ = gateway.submit(.deviceServerCommand, volume, payload: copy.payload, number: copy.number)
        gateway.run()
        #expect(gateway.takeAnswer(copy.number)?.reply.status == .good)
        #expect(try firstByte(of: copy.destination) == 7)
    }

    @Test func aCopyEndsWithItsNexus() throws {
        let copy = try startCopy()
        #expect(try gateway.perform(.nexusLoss, volume).reply.status == .good)
        #expect(try firstByte(of: copy.destination) == 0)
        #expect(gateway.takeAnswer(copy.number) == nil)
    }

    @Test func aResetAbortsACopy() throws {
        let copy = try startCopy()
        #expect(try gateway.perform(.taskManagement, volume, payload: [5], nexus: 2).reply.status == .good)
        #expect(gateway.takeAnswer(copy.number)?.reply.status == .aborted)
        _ = gateway.submit(.deviceServerCommand, volume, payload: copy.payload, number: copy.number)
        gateway.run()
        #expect(gateway.takeAnswer(copy.number)?.reply.status == .aborted)
        #expect(try firstByte(of: copy.destination) == 0)
    }

    @Test func aReservationMadeWhileItWaitsKeepsACopyOut() throws {
        let copy = try startCopy()
        #expect(try gateway.perform(.nexusBarrier, volume).reply.status == .good)
        #expect(try command([0x16, 0, 0, 0, 0, 0], nexus: 0x101, on: copy.destination).reply.status == .good)
        _ = gateway.submit(.deviceServerCommand, volume, payload: copy.payload, number: copy.number)
        gateway.run()
        #expect(gateway.takeAnswer(copy.number).flatMap(sense)?.key == 0xa)
        #expect(try firstByte(of: copy.destination) == 0)
    }

    @Test func sanitizeIsFinishedByTheNextRun() throws {
        try login(1)
        let change = VolumeChangeRequest(volume: VolumeReference("db"), allowsSanitize: true)
        let changed = try gateway.await { gateway.control.change(change, within: .seconds(10), answer: $0) }
        #expect(changed.access?.allowsSanitize == true)
        try gateway.write(sector, to: volume, sector: 0)
        #expect(try command([0x48, 0x82, 0, 0, 0, 0, 0, 0, 0, 0]).reply.status == .good)
        #expect(try gateway.read(volume, sector: 0, count: 1).allSatisfy { $0 == 0 })
        let status = try command([0x9e, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 0, 0])
        #expect(status.payload?.array[20] == 1, "the whole is deallocated")
        #expect(status.payload?.array.count == 24)

        try gateway.write(sector, to: volume, sector: 0)
        _ = gateway.submit(
            .deviceServerCommand, volume, payload: [0x48, 0x82] + [UInt8](repeating: 0, count: 14))
        gateway.runLoop()
        let file = try Platform.FileSystem.readFile(
            gateway.directory + "/volumes/\(volume)/unit.json", limit: UnitStateFormat.byteLimit)
        #expect(try UnitStateFormat.decode(file).isSanitizing)
        try gateway.restart()
        #expect(gateway.shard.volumes[volume]?.unit.server.state.isSanitizing == false)
        #expect(try gateway.read(volume, sector: 0, count: 1).allSatisfy { $0 == 0 })
    }

    @Test func aVolumeGrowsAndItsInitiatorsAreTold() throws {
        try login(1)
        let beyond = GatewayHarness.gibibyte / 512
        #expect(try gateway.perform(.read, volume, sector: beyond, count: 1).reply.status == .outOfRange)
        let change = VolumeChangeRequest(volume: VolumeReference("db"), byteCount: 3 << 30)
        #expect(
            try gateway.await { gateway.control.change(change, within: .seconds(10), answer: $0) }.byteCount == 3 << 30)
        #expect(sense(try testUnitReady(1)).map { $0 == (6, 0x2a09) } ?? false)
        try gateway.write(sector, to: volume, sector: beyond)
        try gateway.restart()
        // What was told just before a restart may be told again, but is never forgotten.
        _ = try testUnitReady(1)
        #expect(try gateway.read(volume, sector: beyond, count: 1) == sector)
        let smaller = VolumeChangeRequest(volume: VolumeReference("db"), byteCount: 1 << 30)
        #expect(throws: BusFault.self) {
            try gateway.await { gateway.control.change(smaller, within: .seconds(10), answer: $0) }
        }
    }

    @Test func aTakenNameIsRefusedAndAFreeOneNamesTheTarget() throws {
        try gateway.create("other")
        func rename(_ name: String) throws -> VolumeDescription {
            let change = VolumeChangeRequest(volume: VolumeReference("db"), name: name)
            return try gateway.await { gateway.control.change(change, within: .seconds(10), answer: $0) }
        }
        #expect(throws: BusFault.self) { try rename("other") }
        #expect(throws: BusFault.self) { try rename("No Name") }
        let renamed = try rename("ledger")
        #expect(renamed.name == "ledger" && renamed.targetName.hasSuffix(":ledger"))
        try gateway.restart()
        #expect(gateway.control.list().volumes.map(\.name) == ["ledger", "other"])
        try gateway.create("db")
    }

    @Test func initiatorsAreWarnedOnceThatTheBufferCannotBeEmptied() throws {
        try login(1)
        gateway.isBucketReachable = false
        let hosted = try #require(gateway.shard.volumes[volume])
        var fill: Double {
            Double(hosted.engine?.statistics.bufferUsedByteCount ?? 0) / Double(hosted.usableBufferByteCount)
        }
        let piece = [UInt8](repeating: 1, count: 256 << 10)
        for place in 0..<200 where fill < 0.82 {
            gateway.shard.watchThresholds()
            _ = gateway.submit(.write, volume, sector: UInt64(place) * 512, count: 512, payload: piece)
            gateway.pass(1)
        }
        #expect(fill >= 0.8)
        let isTold = { (answer: DataPlaneServer<String>.Answer) in self.sense(answer).map { $0 == (6, 0x3807) } ?? false
        }
        gateway.shard.watchThresholds()
        #expect(!isTold(try testUnitReady(1)), "the bucket is slow, no more is known")
        gateway.isUploaderRunning = false
        gateway.pass(10)
        for expected in [true, false] {
            gateway.shard.watchThresholds()
            #expect(isTold(try testUnitReady(1)) == expected)
        }
        let log = try command([0x4d, 0, 0x4c, 0, 0, 0, 0, 0, 255, 0]).payload?.array ?? []
        #expect(log.count > 20 && log[0] & 0x3f == 0x0c, "the page of logical block provisioning")
        gateway.isUploaderRunning = true
        gateway.isBucketReachable = true
        gateway.pass(1)
        _ = try gateway.sync("db")
    }

    @Test func reservationsAreShownAndCleared() throws {
        try login(1)
        #expect(try reserveOut(6, key: 0, new: 5, nexus: 1) == .good)
        #expect(try reserveOut(1, key: 5, type: 1, nexus: 1) == .good)
        func ask(clears: Bool) throws -> VolumeReservationsRequest.Reply {
            let request = VolumeReservationsRequest(volume: VolumeReference("db"), clears: clears)
            return try gateway.await { gateway.control.reservations(request, answer: $0) }
        }
        let shown = try ask(clears: false)
        #expect(shown.type == 1 && shown.registrants.count == 1 && shown.registrants[0].isHolder)
        #expect(shown.registrants[0].initiatorPort == "iqn.2026-11.test:host-1,i,0x000000000001")
        #expect(try ask(clears: true).registrants.isEmpty)
        #expect(sense(try testUnitReady(1)).map { $0 == (6, 0x2a03) } ?? false)
        #expect(try write(2) == .good)
    }
}
