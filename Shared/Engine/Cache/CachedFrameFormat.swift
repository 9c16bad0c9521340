// SPDX-License-Identifier: Apache-2.0
import Platform
import Wire

/// One frame in a region of the read cache. Little-endian; docs/formats/read-cache.md.
///
///     offset size
///      0      4   magic "SLcf"
///      4      1   version, 1
///      5      3   0
///      8      8   id of the volume that owns the pack
///     16     12   pack name: generation, start, number
///     28      4   the frame's offset in the pack
///     32      4   the frame's length in the pack
///     36      4   the region's sequence, low half
///     40      4   payload length
///     44      4   CRC32C of the payload
///     48     12   0
///     60      4   CRC32C of bytes 0 ..< 60
///     64          payload: `FrameContents`, encoded; then zeros up to a multiple of 64
///
/// The key is whole, so that what is found by 44 bits of a hash is known to be what was asked for. The sequence tells
/// frames of this life of the region from those that it held before. Version history: 1, first.
struct CachedFrameHeader: Equatable {
    static let magic = [UInt8].magic("SLcf")
    static let version: UInt8 = 1
    static let byteCount = 64

    var frame: FrameReference
    var regionSequence: UInt32
    var payloadByteCount: Int
    var payloadChecksum: UInt32

    var recordByteCount: Int { CachedFrameFormat.byteCount(payloadByteCount: payloadByteCount) }

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Self.byteCount)
        bytes.append(integer: Self.magic)
        bytes.append(Self.version)
        bytes.append(zeros: 3)
        bytes.append(integer: frame.owner.rawValue)
        bytes.append(name: frame.pack)
        bytes.append(integer: frame.byteOffset)
        bytes.append(integer: frame.byteCount)
        bytes.append(integer: regionSequence)
        bytes.append(integer: UInt32(payloadByteCount))
        bytes.append(integer: payloadChecksum)
        bytes.append(zeros: 12)
        bytes.append(integer: CRC32C.checksum(bytes))
        return bytes
    }

    init(frame: FrameReference, regionSequence: UInt32, payloadByteCount: Int, payloadChecksum: UInt32) {
        self.frame = frame
        self.regionSequence = regionSequence
        self.payloadByteCount = payloadByteCount
        self.payloadChecksum = payloadChecksum
    }

    /// - Parameter isChecked: false only for the simulator, to break the rule.
    init(decoding bytes: [UInt8], from start: Int = 0, isChecked: Bool = true) throws(EngineError) {
        var reader = ByteReader(bytes, from: start, format: .cachedFrame)
        try reader.expect(magic: Self.magic)
        try reader.expect(version: Self.version)
        try reader.expectZeros(3)
        let owner = VolumeID(rawValue: try reader.integer())
        let pack = try reader.packName()
        frame = FrameReference(
            owner: owner, pack: pack, byteOffset: try reader.integer(), byteCount: try reader.integer())
        regionSequence = try reader.integer()
        payloadByteCount = Int(try reader.integer(UInt32.self))
        payloadChecksum = try reader.integer()
        try reader.expectZeros(12)
        let checksum: UInt32 = try reader.integer()
        if isChecked {
            try expectChecksum(
                .cachedFrame, checksum, found: CRC32C.checksum(bytes, in: start..<start + Self.byteCount - 4))
        }
        guard payloadByteCount > 0, payloadByteCount <= CachedFrameFormat.largestPayloadByteCount else {
            throw .malformed(.cachedFrame, reason: "a payload of \(payloadByteCount) bytes")
        }
    }
}

enum CachedFrameFormat {
    static let alignment = 64
    /// The encoded contents of a frame of 16 blocks.
    static let largestPayloadByteCount = 8 + Geometry.blocksPerFrame * (12 + Geometry.blockByteCount)
    static let largestByteCount = byteCount(payloadByteCount: largestPayloadByteCount)
    static let smallestByteCount = byteCount(payloadByteCount: 8 + 12 + Geometry.blockByteCount)

    static func byteCount(payloadByteCount: Int) -> Int {
        CachedFrameHeader.byteCount + (payloadByteCount + alignment - 1) / alignment * alignment
    }

    /// Writes the record at an offset of the buffer.
    /// - Parameter payload: where in `bytes` the encoded contents are.
    static func write(
        _ frame: FrameReference, payload bytes: [UInt8], in payload: Range<Int>, regionSequence: UInt64,
        to buffer: IOBuffer, at byteOffset: Int
    ) {
        let header = CachedFrameHeader(
            frame: frame, regionSequence: UInt32(truncatingIfNeeded: regionSequence), payloadByteCount: payload.count,
            payloadChecksum: CRC32C.checksum(bytes, in: payload))
        unsafe header.encoded().withUnsafeBytes { unsafe buffer.copy($0, to: byteOffset) }
        let start = byteOffset + CachedFrameHeader.byteCount
        unsafe bytes.withUnsafeBytes { all in
            unsafe buffer.copy(UnsafeRawBufferPointer(rebasing: all[payload]), to: start)
        }
        buffer.zero(start + payload.count..<byteOffset + header.recordByteCount)
    }

    /// Where in `bytes` the payload of the record at `start` is, all of it verified.
    static func payload(
        of frame: FrameReference?, in bytes: [UInt8], from start: Int = 0, isChecked: Bool = true
    ) throws(EngineError) -> (header: CachedFrameHeader, range: Range<Int>) {
        let header = try CachedFrameHeader(decoding: bytes, from: start, isChecked: isChecked)
        let first = start + CachedFrameHeader.byteCount
        guard first + header.payloadByteCount <= bytes.count else {
            throw .malformed(.cachedFrame, reason: "ends inside its payload")
        }
        if isChecked {
            if let frame, header.frame != frame {
                throw .misplaced(.cachedFrame, reason: "\(header.frame.key) at \(header.frame.byteOffset)")
            }
            let found = CRC32C.checksum(bytes, in: first..<first + header.payloadByteCount)
            try expectChecksum(.cachedFrame, header.payloadChecksum, found: found)
        }
        return (header, first..<first + header.payloadByteCount)
    }
}

extension FrameReference {
    /// What the cache's index goes by. Part of the format of a region's list of frames: SplitMix64's last step over
    /// the fields, two words at a time.
    var cacheHash: UInt64 {
        var hash = Self.mix(owner.rawValue)
        hash = Self.mix(hash ^ (UInt64(pack.generation) << 32 | UInt64(pack.start)))
        return Self.mix(hash ^ (UInt64(pack.number) << 32 | UInt64(byteOffset)))
    }

    private static func mix(_ word: UInt64) -> UInt64 { SplitMix64.finish(word &+ SplitMix64.step) }
}
