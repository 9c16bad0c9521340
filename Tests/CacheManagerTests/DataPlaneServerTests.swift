// SPDX-License-Identifier: Apache-2.0
import CacheManager
import Engine
import Messages
import TestSupport
import Testing
import Wire

struct DataPlaneServerTests {
    @Test func aStrangerMustSayHelloFirst() throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create().id
        let number = gateway.submit(.read, volume, count: 8, from: ServiceInstance(rawValue: 99))
        gateway.run()
        #expect(gateway.takeAnswer(number)?.reply.status == .helloRequired)
    }

    @Test func aVolumeThatIsNotHereIsUnknown() throws {
        let gateway = try GatewayHarness()
        #expect(try gateway.perform(.flush, VolumeID(rawValue: 5)).reply.status == .unknownVolume)
    }

    @Test func aRequestPastItsDeadlineIsRefused() throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create().id
        let number = gateway.submit(.flush, volume, deadline: 1000)
        gateway.run()
        #expect(gateway.takeAnswer(number)?.reply.status == .refused)
        #expect(gateway.server.counters.refused == 1)
    }

    @Test func aSilentFrontendIsRevokedForGood() throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create().id
        gateway.pass(31)
        #expect(gateway.server.revokeSilentFrontends() == [GatewayHarness.frontend])
        #expect(try gateway.perform(.flush, volume).reply.status == .refused)
        #expect(!gateway.server.hello(GatewayHarness.frontend))
    }

    @Test(
        arguments: [
            (IORequest.Operation.read, 8, 512), (.write, 8, 512), (.write, 8, 0), (.writeSame, 9, 4096),
            (.unmap, 0, 15),
            (.compareAndWrite, 1, 512), (.flush, 0, 1), (.nexusBarrier, 0, 513), (.nexusLoss, 0, 1),
            (.check, 0, 15), (.check, 0, 17), (.deviceServerCommand, 0, 15), (.taskManagement, 0, 1),
            (.taskManagement, 0, 2), (.compare, 8, 1024), (.orWrite, 8, 0), (.prefetch, 8, 1),
            (.write, 1024, 1024 * 512),
        ] as [(IORequest.Operation, UInt32, Int)])
    func malformedRequestsAreRefusedAndCounted(
        _ operation: IORequest.Operation, _ count: UInt32, _ byteCount: Int
    ) throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create().id
        let payload = [UInt8](repeating: 1, count: byteCount)
        #expect(try gateway.perform(operation, volume, count: count, payload: payload).reply.status == .refused)
        #expect(gateway.server.counters.malformed == 1)
    }

    /// What a command may write follows from the segments that its volume has; reads go by messages alone.
    @Test func limitsFollowTheSegmentsThatAreThere() throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create().id
        #expect(try gateway.read(volume, sector: 0, count: 2048).count == 1 << 20)
        try gateway.write([UInt8](repeating: 1, count: 4096), to: volume, sector: 0)
        try gateway.restart()
        var limits = EngineLimits()
        limits.fit(segmentByteCount: 1 << 20)
        let found = try #require(gateway.shard.volumes[volume]?.limits)
        #expect(found.commandByteCount == 512 << 10 && found.recordByteCount == 256 << 10)
        #expect(found.commandByteCount == limits.commandByteCount && found.recordByteCount == limits.recordByteCount)
        let bytes = [UInt8](repeating: 2, count: found.commandByteCount)
        try gateway.write(bytes, to: volume, sector: 8)
        #expect(try gateway.read(volume, sector: 8, count: UInt32(bytes.count / 512)) == bytes)
        limits.fit(segmentByteCount: 32 << 20)
        #expect(limits.commandByteCount == 16 << 20)
    }

    @Test func aRepeatedWriteIsAnsweredAndNotDoneAgain() throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create().id
        let old = [UInt8](repeating: 1, count: 512)
        let new = [UInt8](repeating: 2, count: 512)
        let number = gateway.submit(.write, volume, sector: 9, count: 1, payload: old)
        gateway.run()
        #expect(gateway.takeAnswer(number)?.reply.status == .good)
        try gateway.write(new, to: volume, sector: 9)
        // Sent again, also after a restart: the late copy must not bring the old data back.
        for _ in 0..<2 {
            _ = gateway.submit(.write, volume, sector: 9, count: 1, payload: old, number: number)
            gateway.run()
            #expect(gateway.takeAnswer(number)?.reply.status == .good)
            #expect(try gateway.read(volume, sector: 9, count: 1) == new)
            try gateway.restart()
        }
    }

    @Test func unmapWriteSameAndCompareAndWriteReachTheVolume() throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create().id
        let sector = [UInt8](repeating: 7, count: 512)
        #expect(try gateway.perform(.writeSame, volume, sector: 16, count: 32, payload: sector).reply.status == .good)
        #expect(try gateway.read(volume, sector: 16, count: 32) == [UInt8](repeating: 7, count: 32 * 512))
        let range = [UInt64(24).littleEndian, UInt64(8).littleEndian].flatMap { value in
            (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
        }
        #expect(try gateway.perform(.unmap, volume, payload: range).reply.status == .good)
        #expect(try gateway.read(volume, sector: 24, count: 8).allSatisfy { $0 == 0 })
        let next = [UInt8](repeating: 8, count: 512)
        let swap = try gateway.perform(.compareAndWrite, volume, sector: 16, count: 1, payload: sector + next)
        #expect(swap.reply.status == .good)
        let again = try gateway.perform(.compareAndWrite, volume, sector: 16, count: 1, payload: sector + next)
        #expect(again.reply.status == .miscompare)
        #expect(again.reply.information == 0)
        #expect(try gateway.read(volume, sector: 16, count: 1) == next)
    }

    @Test func flushAndBarrierAreAnswered() throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create().id
        try gateway.write([UInt8](repeating: 3, count: 4096), to: volume, sector: 0)
        #expect(try gateway.perform(.flush, volume).reply.status == .good)
        #expect(try gateway.perform(.flush, volume, count: 1 << 21).reply.status == .good, "of all of it")
        #expect(try gateway.perform(.nexusBarrier, volume).reply.status == .good)
    }

    @Test func aRangeOutsideTheVolumeIsRefusedByTheEngine() throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create().id
        let last = GatewayHarness.gibibyte / 512
        #expect(try gateway.perform(.read, volume, sector: last - 1, count: 2).reply.status == .outOfRange)
        #expect(try gateway.perform(.read, volume, sector: last - 1, count: 1).reply.status == .good)
    }

    @Test func answersOfOneFrontendTravelTogether() throws {
        let gateway = try GatewayHarness()
        for number in 1...100 as ClosedRange<UInt64> {
            _ = gateway.submit(.flush, VolumeID(rawValue: 1), number: number)
        }
        var sizes: [Int] = []
        gateway.server.takeBatches { sizes.append($0.answers.count) }
        #expect(sizes == [DataPlaneServer<String>.batchLimit, 100 - DataPlaneServer<String>.batchLimit])
    }

    @Test func aNexusBelongsToTheFrontendOfItsLastBarrier() throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create().id
        let other = ServiceInstance(rawValue: 0xf2)
        #expect(gateway.server.hello(other))
        #expect(try gateway.perform(.flush, volume).reply.status == .good)
        let barrier = gateway.submit(.nexusBarrier, volume, from: other)
        gateway.run()
        #expect(gateway.takeAnswer(barrier)?.reply.status == .good)
        // Whatever the first frontend still sends of this nexus is older than the take-over.
        let sector = [UInt8](repeating: 1, count: 512)
        let late = try gateway.perform(.write, volume, sector: 0, count: 1, payload: sector)
        #expect(late.reply.status == .refused)
        #expect(try gateway.perform(.nexusBarrier, volume).reply.status == .good)
        #expect(try gateway.perform(.write, volume, sector: 0, count: 1, payload: sector).reply.status == .good)
    }

    @Test func largeAnswersTravelApart() throws {
        let gateway = try GatewayHarness()
        let volume = try gateway.create().id
        for _ in 0..<10 { _ = gateway.submit(.read, volume, count: 512) }
        gateway.shard.settle()
        var sizes: [Int] = []
        gateway.server.takeBatches { sizes.append($0.answers.count) }
        #expect(sizes == [4, 4, 2])
    }
}
