// SPDX-License-Identifier: Apache-2.0
import FuzzSupport
import Wire

@testable import Engine

/// The files of the read cache.
enum CacheFormats {
    private static let regionByteCount = 16 << 10

    static func region(_ bytes: [UInt8], isSealed: Bool) {
        let bytes = isSealed ? bytes.sealed(60, 0..<60) : bytes
        guard let header = try? CacheRegionFormat.decodeHeader(bytes, regionByteCount: regionByteCount) else { return }
        let encoded = CacheRegionFormat.encode(header, regionByteCount: regionByteCount)
        precondition(encoded.elementsEqual(bytes.prefix(64)), "a region's header encodes to other bytes")
    }

    static func tail(_ bytes: [UInt8], isSealed: Bool) {
        let bytes = isSealed ? Seal.cacheTail(bytes) : bytes
        let entries = try? CacheRegionFormat.decodeTail(bytes, sequence: 7, regionByteCount: regionByteCount)
        guard let entries else { return }
        for entry in entries {
            precondition(entry.byteOffset >= 64 && entry.byteCount > 0, "an impossible frame")
            precondition(entry.byteOffset + entry.byteCount <= regionByteCount, "a frame outside of the region")
        }
        let encoded = CacheRegionFormat.encodeTail(entries, sequence: 7)
        precondition(bytes.suffix(encoded.count).elementsEqual(encoded), "a list encodes to other bytes")
    }

    static func frame(_ bytes: [UInt8], isSealed: Bool) {
        let bytes = isSealed ? Seal.cachedFrame(bytes, at: 0) : bytes
        guard let (header, range) = try? CachedFrameFormat.payload(of: nil, in: bytes) else { return }
        precondition(range.clamped(to: 0..<bytes.count) == range, "a payload outside of the bytes")
        precondition(header.encoded().elementsEqual(bytes.prefix(64)), "a frame's header encodes to other bytes")
        guard let contents = try? FrameContents(decoding: bytes, in: range) else { return }
        precondition(contents.encoded().elementsEqual(bytes[range]), "contents encode to other bytes")
    }

    static func scan(_ bytes: [UInt8], isSealed: Bool) {
        var region = bytes.prefix(regionByteCount) + [UInt8](repeating: 0, count: max(0, regionByteCount - bytes.count))
        if isSealed { region = ArraySlice(Seal.cachedFrame(Array(region).sealed(60, 0..<60), at: 64)) }
        let scan = CacheRegionScan.scan(regionByteCount: regionByteCount) { offset, count in
            precondition(offset >= 0 && count >= 0 && offset + count <= regionByteCount, "a read outside of the region")
            return Array(region[offset..<offset + count])
        }
        guard case .frames(_, let entries) = scan else { return }
        for entry in entries {
            precondition(entry.byteOffset + entry.byteCount <= regionByteCount, "a frame outside of the region")
        }
    }
}
