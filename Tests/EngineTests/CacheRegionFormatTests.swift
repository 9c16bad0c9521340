// SPDX-License-Identifier: Apache-2.0
import Platform
import TestSupport
import Testing
import Wire

@testable import Engine  // To make regions that no cache makes.

struct CacheRegionFormatTests {
    private static let regionByteCount = 256 << 10
    private static let frame = FrameReference(
        owner: FormatSamples.volume, pack: FormatSamples.name, byteOffset: 0x240, byteCount: 0x1080)
    private static var contents: FrameContents {
        let data = FormatSamples.letters("A")
        return FrameContents(blocks: [BlockIndex(3)], checksums: [CRC32C.checksum(data)], bytes: data[...])
    }

    private static func record() -> [UInt8] {
        let payload = contents.encoded()
        let count = CachedFrameFormat.byteCount(payloadByteCount: payload.count)
        let buffer = IOBuffer(byteCount: count)
        CachedFrameFormat.write(
            frame, payload: payload, in: 0..<payload.count, regionSequence: 0x1_0000_0007, to: buffer, at: 0)
        return buffer.array
    }

    @Test func headerIsTheGoldenOne() throws {
        let golden = try Golden.bytes("cache/v1/region-header")
        let header = CacheRegionFormat.Header(queue: .main, sequence: 0x1_0000_0007)
        #expect(CacheRegionFormat.encode(header, regionByteCount: Self.regionByteCount) == golden)
        #expect(try CacheRegionFormat.decodeHeader(golden, regionByteCount: Self.regionByteCount) == header)
        let zeros = [UInt8](repeating: 0, count: 64)
        #expect(try CacheRegionFormat.decodeHeader(zeros, regionByteCount: Self.regionByteCount) == nil)
        #expect(throws: EngineError.self) { try CacheRegionFormat.decodeHeader(golden, regionByteCount: 128 << 10) }
        for index in golden.indices {
            var damaged = golden
            damaged[index] ^= 0x20
            #expect(throws: EngineError.self) {
                try CacheRegionFormat.decodeHeader(damaged, regionByteCount: Self.regionByteCount)
            }
        }
        var newer = golden
        newer[4] = 2
        #expect(throws: EngineError.newerFormat(.cacheRegion, version: 2)) {
            try CacheRegionFormat.decodeHeader(newer, regionByteCount: Self.regionByteCount)
        }
    }

    @Test func tailIsTheGoldenOne() throws {
        let golden = try Golden.bytes("cache/v1/region-tail")
        let entries = [
            CacheRegionFormat.Entry(hash: Self.frame.cacheHash, byteOffset: 64, byteCount: 4224),
            CacheRegionFormat.Entry(hash: 0x0102_0304_0506_0708, byteOffset: 4288, byteCount: 65_792),
        ]
        #expect(CacheRegionFormat.encodeTail(entries, sequence: 0x1_0000_0007) == golden)
        let decode = { (bytes: [UInt8]) throws in
            try CacheRegionFormat.decodeTail(bytes, sequence: 0x1_0000_0007, regionByteCount: Self.regionByteCount)
        }
        #expect(try decode(golden) == entries)
        // What precedes the list is of no concern.
        #expect(try decode([1, 2, 3] + golden) == entries)
        for index in golden.indices {
            var damaged = golden
            damaged[index] ^= 1
            #expect(throws: EngineError.self, "byte \(index)") { try decode(damaged) }
        }
        for length in 0..<golden.count {
            #expect(throws: EngineError.self) { try decode(Array(golden[..<length])) }
            if length > 0 { #expect(throws: EngineError.self) { try decode(Array(golden[length...])) } }
        }
        #expect(throws: EngineError.self) {
            try CacheRegionFormat.decodeTail(golden, sequence: 7, regionByteCount: Self.regionByteCount)
        }
    }

    @Test func recordIsTheGoldenOne() throws {
        let golden = try Golden.bytes("cache/v1/frame-header")
        let record = Self.record()
        #expect(Array(record[..<64]) == golden)
        #expect(Array(record[64..<64 + 4116]) == Self.contents.encoded())
        #expect(record.count == 4224 && record[(64 + 4116)...].allSatisfy { $0 == 0 })
        let (header, range) = try CachedFrameFormat.payload(of: Self.frame, in: record)
        #expect(header.frame == Self.frame && header.regionSequence == 7)
        #expect(try FrameContents(decoding: record, in: range) == Self.contents)
    }

    @Test func damageIsNeverBelieved() {
        let record = Self.record()
        // The zeros at the end say nothing and are not checked.
        for index in stride(from: 0, to: 64 + 4116, by: 7) {
            var damaged = record
            damaged[index] ^= 4
            #expect(throws: EngineError.self, "byte \(index)") {
                try CachedFrameFormat.payload(of: Self.frame, in: damaged)
            }
        }
        for length in stride(from: 0, to: 64 + 4116, by: 61) {
            #expect(throws: EngineError.self) {
                try CachedFrameFormat.payload(of: Self.frame, in: Array(record[..<length]))
            }
        }
        var other = Self.frame
        other.byteOffset += 64
        #expect(throws: EngineError.self) { try CachedFrameFormat.payload(of: other, in: record) }
    }

    @Test func aRegionWithoutAListIsGoneThroughFrameByFrame() {
        let header = CacheRegionFormat.Header(queue: .probation, sequence: 0x1_0000_0007)
        var bytes = CacheRegionFormat.encode(header, regionByteCount: Self.regionByteCount)
        bytes += Self.record() + Self.record()
        // What follows is of an earlier life.
        var older = Self.record()
        older.replaceSubrange(36..<40, with: [6, 0, 0, 0])
        older.replaceSubrange(60..<64, with: Self.bytes(of: CRC32C.checksum(Array(older[..<60]))))
        bytes += older
        bytes += [UInt8](repeating: 0, count: Self.regionByteCount - bytes.count)
        let scan = CacheRegionScan.scan(regionByteCount: Self.regionByteCount) { Array(bytes[$0..<$0 + $1]) }
        let hash = Self.frame.cacheHash
        #expect(
            scan
                == .frames(
                    header,
                    [
                        .init(hash: hash, byteOffset: 64, byteCount: 4224),
                        .init(hash: hash, byteOffset: 64 + 4224, byteCount: 4224),
                    ]))
    }

    @Test func filesThatAreNoRegionsAreToldApart() {
        let size = Self.regionByteCount
        #expect(CacheRegionScan.scan(regionByteCount: size) { [UInt8](repeating: 0, count: $1) } == .empty)
        #expect(CacheRegionScan.scan(regionByteCount: size) { _, _ in nil } == .unreadable)
        let noise = CacheRegionScan.scan(regionByteCount: size) { [UInt8](repeating: 0xa5, count: $1) }
        guard case .damaged = noise else {
            Issue.record("noise was taken for a region")
            return
        }
    }

    private static func bytes(of value: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }
}
