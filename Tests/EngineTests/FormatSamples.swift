// SPDX-License-Identifier: Apache-2.0
import Engine
import FoundationEssentials
import TestSupport
import Testing
import Wire

/// The values that the golden files of packs, maps and records describe.
enum FormatSamples {
    static let volume = VolumeID(rawValue: 0x0123_4567_89ab_cdef)
    static let name = PackName(generation: 2, start: 3, number: 0x104)
    static let identity = PackIdentity(volume: volume, name: name)
    static let lineage: UInt64 = 0x1122_3344_5566_7788

    /// The generator named in the golden files.
    static func noise(_ seed: UInt64) -> [UInt8] {
        var value = seed
        return (0..<4096).map { _ in
            value = value &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(value >> 56)
        }
    }

    static func letters(_ letter: Character) -> [UInt8] {
        [UInt8](repeating: letter.asciiValue ?? 0, count: 4096)
    }

    static func frame(_ blocks: [UInt64], _ data: [[UInt8]]) -> PackPlan.Frame {
        PackPlan.Frame(blocks: blocks.map { BlockIndex($0) }, checksums: data.map { CRC32C.checksum($0) })
    }

    static func plan(_ frames: [PackPlan.Frame], zeroRuns: [BlockRange], level: UInt8) -> PackPlan {
        PackPlan(
            volume: volume, name: name, firstSequence: JournalSequence(40), lastSequence: JournalSequence(99),
            compressionLevel: level, frames: frames, zeroRuns: zeroRuns)
    }

    static func build(_ plan: PackPlan, _ data: [[UInt8]]) throws -> BuiltPack {
        var bytes: [UInt8] = []
        for block in data { bytes += block }
        return try unsafe bytes.withUnsafeBytes { try unsafe PackBuilder().build(plan: plan, blocks: $0) }
    }

    static func encode(_ frame: PackPlan.Frame, _ data: [[UInt8]], level: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        try unsafe Array(data.joined()).withUnsafeBytes {
            try unsafe FrameFormat.encode(
                frame, of: identity, plaintext: $0, level: level, codec: ZstdCodec(), into: &bytes)
        }
        return bytes
    }

    static var head: Head { head(.sector) }

    static func head(_ blockSize: LogicalBlockSize) -> Head {
        Head(
            volume: volume, name: "data “one”/ü", targetName: "iqn.2026-01.org.example:data",
            byteCount: 1 << 30, blockByteCount: 4096, blockSize: blockSize, mode: .cached, ownership: .exclusive,
            state: .live,
            createdMilliseconds: 1_767_225_600_000, sourceSnapshot: SnapshotID(rawValue: 0xabc),
            durability: "onFlush", compressionLevel: 1, commitIntervalSeconds: 10, uploadBufferByteCount: 4 << 30,
            lineage: .max, generation: Generation(2), owner: GatewayID(rawValue: 1),
            commit: CommitID(high: 0x0011_2233_4455_6677, low: 0x8899_aabb_ccdd_eeff), commitNumber: 41,
            journalSequence: JournalSequence(9_007_199_254_740_993), cutMilliseconds: 1_767_225_610_000,
            foldNumber: 77,
            root: ImageRoot(
                tree: NodePointer(
                    owner: volume, pack: PackName(generation: 2, start: 3, number: 0x105), byteOffset: 112,
                    byteCount: 176, checksum: 0xdead_beef),
                packTable: NodePointer(
                    owner: volume, pack: PackName(generation: 2, start: 3, number: 0x106), byteOffset: 200,
                    byteCount: 112, checksum: 1),
                packs: [
                    PackReference(
                        owner: volume, name: PackName(generation: 2, start: 3, number: 0x107), byteCount: 4368,
                        directoryOffset: 4160, directoryByteCount: 144)
                ]),
            cleanShutdown: false)
    }

    /// A golden record: text, read as it is.
    static func record(_ name: String, version: Int = 1, file: String = #filePath) throws -> [UInt8] {
        // This file is Tests/EngineTests/FormatSamples.swift.
        let tests = file.split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(separator: "/")
        return [UInt8](try Data(contentsOf: URL(filePath: "\(tests)/Golden/head/v\(version)/\(name).json")))
    }

    /// Every strict prefix of the bytes must be refused, and every single changed byte.
    static func expectRefusal(
        ofDamageTo bytes: [UInt8], strideBy step: Int = 1, _ decode: ([UInt8]) throws -> Void
    ) {
        for length in stride(from: 0, to: bytes.count, by: step) {
            #expect(throws: EngineError.self, "cut to \(length)") { try decode(Array(bytes[..<length])) }
        }
        for index in stride(from: 0, to: bytes.count, by: step) {
            var damaged = bytes
            damaged[index] ^= UInt8(1 << (index % 8))
            #expect(throws: EngineError.self, "byte \(index) changed") { try decode(damaged) }
        }
        #expect(throws: EngineError.self, "a byte too many") { try decode(bytes + [0]) }
    }
}
