// SPDX-License-Identifier: Apache-2.0
import CacheManager
import Engine
import Messages
import Platform
import SCSI
import TestSupport
import Testing
import Wire

/// What is chosen when a volume is made and never changes: its logical blocks, and whether its medium can be ejected.
@Suite struct VolumeKindTests {
    private let gateway: GatewayHarness

    init() throws { gateway = try GatewayHarness() }

    private func create(
        _ name: String, _ blockSize: LogicalBlockSize? = nil, isRemovable: Bool? = nil, from snapshot: SnapshotID? = nil
    ) throws -> VolumeDescription {
        try gateway.await {
            gateway.control.create(
                VolumeCreateRequest(
                    name: name, byteCount: snapshot == nil ? 1 << 30 : nil, snapshot: snapshot, blockSize: blockSize,
                    isRemovable: isRemovable),
                within: .seconds(30), answer: $0)
        }
    }

    private func command(_ cdb: [UInt8], on volume: VolumeID) throws -> DataPlaneServer<String>.Answer {
        let padded = cdb + [UInt8](repeating: 0, count: 16 - cdb.count)
        return try gateway.perform(.deviceServerCommand, volume, payload: padded)
    }

    @Test func aVolumeSaysWhatItIs() throws {
        let usual = try create("usual")
        #expect(usual.blockSize == nil && usual.isRemovable == nil)
        let special = try create("special", .fourKibibytes, isRemovable: true)
        #expect(special.blockSize == .fourKibibytes && special.isRemovable == true)
        #expect(try command([0x25], on: usual.id).payload?.array == [0, 0x1F, 0xFF, 0xFF, 0, 0, 2, 0])
        #expect(try command([0x25], on: special.id).payload?.array == [0, 3, 0xFF, 0xFF, 0, 0, 0x10, 0])
        try gateway.restart()
        #expect(try command([0x25], on: special.id).payload?.array == [0, 3, 0xFF, 0xFF, 0, 0, 0x10, 0])
    }

    @Test func aCloneIsAsItsSourceUnlessToldOtherwise() throws {
        let source = try create("source", .fourKibibytes, isRemovable: true)
        try gateway.write([UInt8](repeating: 5, count: 4096), to: source.id, sector: 8)
        try gateway.cut("source", first: 1)
        try gateway.settle()
        let clone = try create("clone", from: SnapshotID(rawValue: 1))
        #expect(clone.blockSize == .fourKibibytes && clone.isRemovable == true)
        let other = try create("other", .sector, isRemovable: false, from: SnapshotID(rawValue: 1))
        #expect(other.blockSize == nil && other.isRemovable == nil)
        #expect(try gateway.read(other.id, sector: 8, count: 8) == [UInt8](repeating: 5, count: 4096))
    }

    @Test func aWholeBlockFillsWholeBlocks() throws {
        let volume = try create("db", .fourKibibytes).id
        var random = SeededRandom(seed: 3)
        let block = random.bytes(4096)
        #expect(try gateway.perform(.writeSame, volume, sector: 16, count: 24, payload: block).reply.status == .good)
        #expect(try gateway.read(volume, sector: 16, count: 24) == block + block + block)
        for (sector, count) in [(17, 8), (16, 9), (20, 4)] as [(UInt64, UInt32)] {
            let answer = try gateway.perform(.writeSame, volume, sector: sector, count: count, payload: block)
            #expect(answer.reply.status == .refused)
        }
        let status = try command([0x9E, 0x12, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 40], on: volume)
        let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0]
        #expect(status.payload.map { Array($0.array[8..<24]) } == mapped)
    }

    @Test func anEjectedMediumIsAwayUntilItIsLoaded() throws {
        let volume = try create("db", isRemovable: true).id
        #expect(try command([0x1B, 0, 0, 0, 2], on: volume).reply.status == .good)
        for isRestarted in [false, true] {
            if isRestarted { try gateway.restart() }
            let answer = try gateway.perform(.read, volume, sector: 0, count: 8)
            #expect(answer.reply.status == .checkCondition && answer.payload?.array[12] == 0x3A)
        }
        #expect(try command([0x1B, 0, 0, 0, 3], on: volume).reply.status == .good)
        #expect(try gateway.read(volume, sector: 0, count: 8).count == 4096)
    }
}
