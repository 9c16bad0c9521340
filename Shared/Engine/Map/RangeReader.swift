// SPDX-License-Identifier: Apache-2.0
package import Wire

/// Where a reader gets bytes from: exactly `byteCount` bytes of an object from `byteOffset`, or an error.
package typealias ObjectReader = (_ key: ObjectKey, _ byteOffset: UInt64, _ byteCount: Int) throws -> [UInt8]

/// Reads many small ranges with few requests: what lies close together in one object is read in one go.
struct RangeReader {
    struct Range {
        var key: ObjectKey
        var byteOffset: UInt64
        var byteCount: Int
    }

    /// Bytes that may be read for nothing to save a request.
    private static let gapLimit: UInt64 = 64 << 10
    /// Of one request, unless a single range is longer.
    private static let readLimit: UInt64 = 4 << 20

    let read: ObjectReader

    /// Hands over the bytes of each range, by its number, in order of their places; again what `body` finds damaged.
    func forEach(_ ranges: [Range], _ body: (Int, [UInt8]) throws -> Void) throws {
        let order = ranges.indices.sorted {
            (ranges[$0].key, ranges[$0].byteOffset) < (ranges[$1].key, ranges[$1].byteOffset)
        }
        var next = 0
        while next < order.count {
            let first = ranges[order[next]]
            var last = next
            var end = first.byteOffset + UInt64(first.byteCount)
            while last + 1 < order.count {
                let candidate = ranges[order[last + 1]]
                let candidateEnd = max(end, candidate.byteOffset + UInt64(candidate.byteCount))
                guard candidate.key == first.key, candidate.byteOffset <= end + Self.gapLimit,
                    candidateEnd - first.byteOffset <= Self.readLimit
                else { break }
                end = candidateEnd
                last += 1
            }
            let bytes = try bytes(of: first.key, first.byteOffset, Int(end - first.byteOffset))
            for position in next...last {
                let range = ranges[order[position]]
                let start = Int(range.byteOffset - first.byteOffset)
                try check(range, Array(bytes[start..<start + range.byteCount])) { bytes in
                    try body(order[position], bytes)
                }
            }
            next = last + 1
        }
    }

    /// Reads one range and decodes it.
    func decode<Decoded>(_ range: Range, _ body: ([UInt8]) throws -> Decoded) throws -> Decoded {
        try check(range, try bytes(of: range.key, range.byteOffset, range.byteCount), body)
    }

    /// Damage in the object itself comes again each time; what was damaged on the way does not.
    private func check<Decoded>(
        _ range: Range, _ first: [UInt8], _ body: ([UInt8]) throws -> Decoded
    ) throws -> Decoded {
        var bytes = first
        for _ in 1..<ImageReader.attempts {
            do { return try body(bytes) } catch is EngineError {
                bytes = try self.bytes(of: range.key, range.byteOffset, range.byteCount)
            }
        }
        return try body(bytes)
    }

    private func bytes(of key: ObjectKey, _ byteOffset: UInt64, _ byteCount: Int) throws -> [UInt8] {
        let bytes = try read(key, byteOffset, byteCount)
        guard bytes.count == byteCount else {
            throw EngineError.malformed(.pack, reason: "\(bytes.count) bytes for \(byteCount) of \(key)")
        }
        return bytes
    }
}
