// SPDX-License-Identifier: Apache-2.0
import CacheManager
import Engine
import Foundation
import Messages
import TestSupport
import Testing
import Wire

/// Frames that lie one after the other are fetched with one request.
struct FetchRunTests {
    private static let pack = PackName(generation: 1, start: 1, number: 1)

    private func frame(
        _ byteOffset: UInt32, _ byteCount: UInt32 = 1 << 16, of pack: PackName = Self.pack
    ) -> FrameReference {
        FrameReference(owner: VolumeID(rawValue: 1), pack: pack, byteOffset: byteOffset, byteCount: byteCount)
    }

    @Test func onlyWhatLiesRightBehindItGoesOn() {
        var run = FetchRun(frame(1 << 16), .demand)
        let other = PackName(generation: 1, start: 1, number: 2)
        for stranger in [frame(0), frame(1 << 16), frame(3 << 16), frame(2 << 16, of: other)] {
            let isTaken = run.take(stranger, .demand)
            #expect(!isTaken)
        }
        let (isTakenInBackground, isTaken) = (run.take(frame(2 << 16), .background), run.take(frame(2 << 16), .demand))
        #expect(!isTakenInBackground && isTaken)
        guard case .getFrames(_, 1 << 16, [1 << 16, 1 << 16]) = run.work else {
            Issue.record("\(run.work)")
            return
        }
    }

    @Test(arguments: [(FetchUrgency.demand, 1 << 20), (.background, 4 << 20)])
    func aRunHasALimit(_ urgency: FetchUrgency, _ byteLimit: Int) {
        var run = FetchRun(frame(0), urgency)
        var byteOffset: UInt32 = 1 << 16
        while run.take(frame(byteOffset), urgency) { byteOffset += 1 << 16 }
        #expect(byteOffset == byteLimit)
    }

    // MARK: In a gateway

    private static let byteCount = 1 << 20

    /// A volume that only the bucket has, and what it holds.
    private func gateway() throws -> (GatewayHarness, VolumeID, [UInt8]) {
        let first = try GatewayHarness()
        let volume = try first.create("db")
        var random = SeededRandom(seed: 5)
        let bytes = random.bytes(Self.byteCount)
        for part in 0..<4 {
            let start = part * Self.byteCount / 4
            try first.write(
                Array(bytes[start..<start + Self.byteCount / 4]), to: volume.id, sector: UInt64(start / 512))
        }
        _ = try first.sync("db")
        let second = try GatewayHarness(bucket: first.bucket, gateway: 2, frameCacheByteCount: 0)
        _ = try second.attach("db", force: true)
        return (second, volume.id, bytes)
    }

    private func frameJobs(_ works: ArraySlice<UploadJob.Work>) -> [Int] {
        works.compactMap { work in
            guard case .getFrames(_, _, let byteCounts) = work else { return nil }
            return byteCounts.count
        }
    }

    @Test func aLargeReadNeedsFewRequests() throws {
        let (gateway, id, bytes) = try gateway()
        let before = gateway.bucket.workCount
        #expect(try gateway.read(id, sector: 0, count: UInt32(Self.byteCount / 512)) == bytes)
        let frames = frameJobs(gateway.bucket.works[before...])
        // With their headers, sixteen frames are a little more than a request asks for.
        #expect(frames.reduce(0, +) == 16 && frames.count <= 2)
    }

    @Test func oneDamagedFrameDoesNotFailItsNeighbours() throws {
        let (gateway, id, bytes) = try gateway()
        let before = gateway.bucket.workCount
        gateway.bucket.frameFailures = [.corrupt(reason: "one of them")]
        #expect(try gateway.read(id, sector: 0, count: UInt32(Self.byteCount / 512)) == bytes)
        let frames = frameJobs(gateway.bucket.works[before...])
        #expect(frames.filter { $0 == 1 }.count >= frames[0])
    }
}
