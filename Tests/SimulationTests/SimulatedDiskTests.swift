// SPDX-License-Identifier: Apache-2.0
import Engine
import Platform
import Simulation
import TestSupport
import Testing

/// The simulated disk does what real ones do, and no more.
struct SimulatedDiskTests {
    private let segment = SegmentID(1)

    private func disk() -> SimulatedDisk {
        var disk = SimulatedDisk(segmentByteCount: 8192)
        guard case .success = disk.prepare(segment, reusing: nil) else {
            Issue.record("a new segment cannot be made")
            return disk
        }
        return disk
    }

    private func write(_ value: UInt8, count: Int = 1024, to disk: inout SimulatedDisk) -> SimulatedDisk.WriteReceipt? {
        let bytes = [UInt8](repeating: value, count: count)
        return unsafe bytes.withUnsafeBytes { try? unsafe disk.write(segment, byteOffset: 512, $0).get() }
    }

    private func read(_ disk: SimulatedDisk, direct: Bool = false, count: Int = 1024) -> [UInt8] {
        let buffer = IOBuffer(byteCount: count)
        let error = unsafe disk.read(segment, byteOffset: 512, into: buffer.bytes, direct: direct)
        #expect(error == nil)
        return buffer.array
    }

    @Test func powerCutLosesWhatWasNotSynced() throws {
        var disk = disk()
        var random = SeededRandom(seed: 1)
        let receipt = try #require(write(7, to: &disk))
        #expect(!disk.isDurable(receipt))
        #expect(read(disk) == [UInt8](repeating: 7, count: 1024))
        disk.losePower(.losesAll, random: &random)
        #expect(read(disk) == [UInt8](repeating: 0, count: 1024))
    }

    @Test func powerCutKeepsWhatWasSynced() throws {
        var disk = disk()
        var random = SeededRandom(seed: 1)
        let receipt = try #require(write(7, to: &disk))
        let point = disk.syncPoint
        let later = try #require(write(8, count: 512, to: &disk))
        #expect(disk.sync(segment, through: point, random: &random))
        #expect(disk.isDurable(receipt) == disk.isDurable(later))
        #expect(disk.sync(segment, through: disk.syncPoint, random: &random))
        #expect(disk.isDurable(receipt) && disk.isDurable(later))
        disk.losePower(.losesAll, random: &random)
        #expect(read(disk) == [UInt8](repeating: 8, count: 512) + [UInt8](repeating: 7, count: 512))
    }

    @Test func powerCutTearsAWriteAtSectors() {
        var torn = 0
        for seed in 0..<32 {
            var disk = disk()
            var random = SeededRandom(seed: UInt64(seed))
            _ = write(9, to: &disk)
            disk.losePower(.keepsSome, random: &random)
            let bytes = read(disk)
            for sector in [bytes[..<512], bytes[512...]] { #expect(Set(sector).count == 1) }
            if bytes[0] != bytes[1023] { torn += 1 }
        }
        #expect(torn > 4 && torn < 28)
    }

    @Test func failedSyncLeavesPagesCleanAndLost() {
        var lost = 0
        for seed in 0..<32 {
            var disk = disk()
            var random = SeededRandom(seed: UInt64(seed))
            _ = write(5, count: 512, to: &disk)
            disk.failSync(segment, random: &random)
            // The cache still shows it, and a second sync finds nothing to do.
            #expect(read(disk, count: 512) == [UInt8](repeating: 5, count: 512))
            #expect(disk.sync(segment, through: disk.syncPoint, random: &random))
            if read(disk, direct: true, count: 512)[0] == 0 {
                lost += 1
                disk.losePower(.keepsAll, random: &random)
                #expect(read(disk, count: 512)[0] == 0)
            }
        }
        #expect(lost > 4 && lost < 28)
    }

    @Test func directReadSeesWhatTheKernelStillMeansToWrite() {
        var disk = disk()
        _ = write(3, to: &disk)
        #expect(read(disk, direct: true) == [UInt8](repeating: 3, count: 1024))
    }

    @Test func recycledSegmentKeepsItsOldBytes() {
        var disk = disk()
        _ = write(4, to: &disk)
        guard case .success = disk.prepare(SegmentID(2), reusing: segment) else {
            Issue.record("a segment cannot be recycled")
            return
        }
        #expect(disk.segmentIDs == [SegmentID(2)])
        let buffer = IOBuffer(byteCount: 512)
        #expect(unsafe disk.read(SegmentID(2), byteOffset: 512, into: buffer.bytes, direct: false) == nil)
        #expect(buffer.array == [UInt8](repeating: 4, count: 512))
    }

    @Test func bitRotOnlyHitsWhatIsOnTheMedium() {
        var disk = disk()
        var random = SeededRandom(seed: 2)
        _ = write(6, to: &disk)
        #expect(!disk.rot(segment, byteOffset: 600, random: &random))
        #expect(disk.sync(segment, through: disk.syncPoint, random: &random))
        #expect(disk.rot(segment, byteOffset: 600, random: &random))
        #expect(disk.isRotten(segment, byteOffset: 512, byteCount: 512))
        #expect(!disk.isRotten(segment, byteOffset: 1024, byteCount: 512))
        #expect(read(disk) != [UInt8](repeating: 6, count: 1024))
    }

    @Test func readPastTheEndFails() {
        let disk = disk()
        let buffer = IOBuffer(byteCount: 1024)
        #expect(unsafe disk.read(segment, byteOffset: 7680, into: buffer.bytes, direct: false) != nil)
    }
}
