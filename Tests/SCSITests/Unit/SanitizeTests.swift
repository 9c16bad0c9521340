// SPDX-License-Identifier: Apache-2.0
import SCSI
import Testing
import Wire

/// SANITIZE, and the other commands about how the unit works.
@Suite struct SanitizeTests {
    private func owner() -> UnitOwner { UnitOwner { $0.isSanitizeAllowed = true } }

    @Test func eraseUnmapsEverything() {
        for action in [0x02, 0x03] as [UInt8] {
            for flags in [0x00, 0x20] as [UInt8] {
                var waiting = owner()
                #expect(waiting.perform([0x48, flags | action]) == .sanitize(immediate: false))
                var immediate = owner()
                #expect(immediate.perform([0x48, 0x80 | flags | action]) == .sanitize(immediate: true))
            }
        }
    }

    @Test func leavingAFailureThatIsNotThereIsGood() {
        var owner = owner()
        #expect(owner.send([0x48, 0x1F]) == .good)
        #expect(!owner.server.state.isSanitizing && owner.admit([0x2A]) == .good)
    }

    @Test func whileItRunsOnlyWhatFindsOutAboutItIsCarriedOut() throws {
        var owner = owner()
        #expect(owner.perform([0x48, 0x82]) == .sanitize(immediate: true))
        for opcode in [0x28, 0x2A, 0x35, 0x42, 0x2F] as [UInt8] {
            #expect(owner.admit([opcode], from: 2) == .sense(.notReady, 0x041B))
        }
        let refused: [[UInt8]] = [
            [0x00], [0x25], [0x9E, 0x10], [0x1A, 0, 0x3F], [0x15, 0x10], [0x16], [0x48, 0x82], [0x1B, 0, 0, 0, 1],
            [0x83], [0xA3, 0x0C],
        ]
        for cdb in refused { #expect(owner.send(cdb, from: 2) == .sense(.notReady, 0x041B)) }
        for action in UInt8(0)...3 { #expect(owner.send([0x5E, action], from: 2) == .good) }
        owner.server.sanitizeProgress = 0x4321
        let result = try #require(owner.perform([0x03, 0, 0, 0, 252]).completed)
        #expect(result.dataIn == [0x70, 0, 2, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x04, 0x1B, 0, 0x80, 0x43, 0x21])
        let described = try #require(owner.perform([0x03, 1, 0, 0, 252]).completed)
        #expect(described.dataIn == [0x72, 2, 0x04, 0x1B, 0, 0, 0, 8, 2, 6, 0, 0, 0x80, 0x43, 0x21, 0])
        owner.server.finishSanitize()
        #expect(owner.admit([0x2A], from: 2) == .good)
    }

    @Test func resetsReconnectsAndRestartsDoNotStopIt() throws {
        var owner = owner()
        #expect(owner.perform([0x48, 0x82]) == .sanitize(immediate: true))
        for kind in [DeviceServer.ResetKind.logicalUnit, .targetWarm, .targetCold] { owner.reset(kind) }
        owner.lose(1)
        owner.attach(1)
        try owner.restart()
        try owner.restart(powerOn: "boot-2")
        #expect(owner.server.state.isSanitizing)
        #expect(owner.attentions(1) == [0x2901])
        #expect(owner.admit([0x28]) == .sense(.notReady, 0x041B))
    }

    @Test func reservedFieldsAreRefused() {
        for action in [0x02, 0x03, 0x1F] as [UInt8] {
            var owner = owner()
            #expect(owner.send([0x48, 0x40 | action]) == .illegal(0x2400))
            for byte in 2...8 {
                var cdb: [UInt8] = [0x48, action, 0, 0, 0, 0, 0, 0, 0, 0]
                cdb[byte] = 1
                #expect(owner.send(cdb) == .illegal(0x2400))
            }
            #expect(!owner.server.state.isSanitizing)
        }
        var owner = owner()
        for action in UInt8(0)...31 where ![0x02, 0x03, 0x1F].contains(action) {
            #expect(owner.send([0x48, action]) == .illegal(0x2400))
        }
    }

    @Test func itIsAWrite() {
        var owner = UnitOwner {
            $0.isSanitizeAllowed = true
            $0.isReadOnly = true
        }
        #expect(owner.send([0x48, 0x82]) == .sense(.dataProtect, 0x2700))
        #expect(!owner.server.state.isSanitizing)
    }

    @Test func itExistsOnlyWhereItIsAllowed() {
        var owner = UnitOwner()
        for action in [0x02, 0x03, 0x1F] as [UInt8] { #expect(owner.send([0x48, action]) == .illegal(0x2000)) }
    }

    // MARK: Start, stop and removal

    @Test func stoppingFlushesAndTheUnitWorksOn() {
        var owner = UnitOwner()
        #expect(owner.perform([0x1B, 0, 0, 0, 0]) == .flush(.good))
        #expect(owner.perform([0x1B, 1, 0, 0, 0]) == .flush(.good))
        #expect(owner.perform([0x1B, 0, 0, 0, 4]) == .complete(.good))
        #expect(owner.perform([0x1B, 0, 0, 0, 1]) == .complete(.good))
        for condition in UInt8(1)...15 {
            for low in UInt8(0)...3 {
                #expect(owner.perform([0x1B, 0, 0, 0, condition << 4 | low]) == .complete(.good))
            }
        }
        for low in [2, 3] as [UInt8] { #expect(owner.send([0x1B, 0, 0, 0, low]) == .illegal(0x2400)) }
        #expect(owner.admit([0x2A]) == .good && owner.send([0x00]) == .good)
    }

    @Test func removalIsPreventedPerNexusAndSession() {
        var owner = UnitOwner()
        func preventing(_ owner: UnitOwner) -> [UInt64] {
            owner.server.state.nexuses.attached.filter { $0.value.preventsRemoval }.keys.map(\.rawValue).sorted()
        }
        for nexus in UInt64(1)...3 { #expect(owner.send([0x1E, 0, 0, 0, UInt8(nexus)], from: nexus) == .good) }
        #expect(preventing(owner) == [1, 2, 3])
        #expect(owner.send([0x1E, 0, 0, 0, 0], from: 2) == .good)
        owner.attach(3)
        #expect(preventing(owner) == [1])
        owner.lose(1)
        owner.attach(1)
        #expect(preventing(owner) == [])
        for kind in [DeviceServer.ResetKind.logicalUnit, .targetWarm, .targetCold] {
            #expect(owner.send([0x1E, 0, 0, 0, 1], from: 2) == .good)
            #expect(preventing(owner) == [2])
            owner.reset(kind)
            #expect(preventing(owner) == [] && owner.attentions(2).count == 1)
        }
    }

    // MARK: What describes the unit

    @Test func lbaStatusIsAskedOfTheVolume() {
        var owner = UnitOwner()
        func cdb(_ address: UInt64, _ allocation: UInt32) -> [UInt8] {
            [0x9E, 0x12] + address.bytes + allocation.bytes
        }
        for (allocation, limit) in [(24, 1), (0, 1), (40, 2), (.max, 1024)] as [(UInt32, Int)] {
            #expect(
                owner.perform(cdb(8, allocation))
                    == .lbaStatus(from: 8, descriptorLimit: limit, allocationLength: Int(allocation)))
        }
        for address in [TestUnit.sectorCount, TestUnit.sectorCount + 1, 1 << 63, .max] {
            #expect(owner.send(cdb(address, 24)) == .illegal(0x2100))
        }
        var coarse = UnitOwner(.fourKibibytes)
        let last = coarse.server.unit.blockCount - 1
        #expect(
            coarse.perform(cdb(last, 24)) == .lbaStatus(from: 8 * last, descriptorLimit: 1, allocationLength: 24))
        for address in [last + 1, TestUnit.sectorCount, 1 << 61, 1 << 63, .max] {
            #expect(coarse.send(cdb(address, 24)) == .illegal(0x2100))
        }
    }

    @Test func theUnitDescribesItself() throws {
        var owner = UnitOwner()
        let commands: [([UInt8], Int)] = [
            ([0x25], 8), ([0x9E, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32], 32), ([0x1A, 0, 0x0A, 0, 255], 24),
            ([0x37, 0, 0, 0, 0, 0, 0, 0, 255], 4), ([0xB7, 0, 0, 0, 0, 0, 0, 0, 0, 255], 8),
            ([0xA3, 0x0A, 0, 0, 0, 0, 0, 0, 0, 255], 16), ([0xA3, 0x0D, 0, 0, 0, 0, 0, 0, 0, 255], 4),
            ([0x4D, 0, 0, 0, 0, 0, 0, 0, 255], 6), ([0x84, 0x03, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255], 47),
        ]
        for (cdb, count) in commands {
            let result = try #require(owner.perform(cdb).completed)
            #expect(result.status == .good && result.dataIn.count == count, "\(cdb): \(result.dataIn)")
        }
    }

    @Test func requestSenseTakesOneUnitAttention() throws {
        var owner = UnitOwner()
        owner.server.post(.capacityDataHasChanged)
        owner.server.post(.inquiryDataHasChanged)
        let result = try #require(owner.perform([0x03, 1, 0, 0, 252]).completed)
        #expect(result.dataIn == [0x72, 6, 0x2A, 0x09, 0, 0, 0, 0])
        #expect(owner.attentions(1) == [0x3F03])
        let none = try #require(owner.perform([0x03, 0, 0, 0, 4]).completed)
        #expect(none.dataIn == [0x70, 0, 0, 0])
    }
}
