// SPDX-License-Identifier: Apache-2.0
import Wire

/// What a command writes: each sector says which command wrote it (its stamp) and where it belongs, in all of its 512
/// bytes, so that one look tells an old, torn or misplaced sector from the right one. Stamp 0 is a sector of zeros.
package enum SectorPattern {
    package typealias Stamp = UInt32

    /// Sectors written by WRITE SAME are alike and belong anywhere.
    private static let anywhere = UInt32.max
    private static let wordCount = Geometry.sectorByteCount / 8

    package static func fill(_ target: UnsafeMutableRawBufferPointer, stamp: Stamp, sector: UInt64?) {
        precondition(target.count == Geometry.sectorByteCount)
        guard stamp != 0 else {
            unsafe target.initializeMemory(as: UInt8.self, repeating: 0)
            return
        }
        let place = sector.map { UInt32(truncatingIfNeeded: $0) } ?? anywhere
        let words = unsafe target.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: UInt64.self)
        var (value, step) = start(stamp: stamp, place: place)
        unsafe words[0] = UInt64(stamp) | UInt64(place) << 32
        for index in 1..<wordCount {
            value &+= step
            unsafe words[index] = value
        }
    }

    /// Which command wrote this sector; nil if none could have written these bytes here.
    package static func stamp(of bytes: UnsafeRawBufferPointer, sector: UInt64) -> Stamp? {
        precondition(bytes.count == Geometry.sectorByteCount)
        let first = unsafe bytes.loadUnaligned(as: UInt64.self)
        let stamp = UInt32(truncatingIfNeeded: first)
        let place = UInt32(truncatingIfNeeded: first >> 32)
        if first != 0, stamp == 0 || (place != UInt32(truncatingIfNeeded: sector) && place != anywhere) { return nil }
        var (value, step) = first == 0 ? (0, 0) : start(stamp: stamp, place: place)
        for index in 1..<wordCount {
            value &+= step
            if unsafe bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self) != value { return nil }
        }
        return stamp
    }

    /// One stamp in four does not compress.
    private static func start(stamp: Stamp, place: UInt32) -> (value: UInt64, step: UInt64) {
        let seed = (UInt64(stamp) | UInt64(place) << 32) &* 0x9e37_79b9_7f4a_7c15
        let value = (seed ^ (seed >> 29)) &* 0xbf58_476d_1ce4_e5b9
        return (value, stamp & 3 == 0 ? value &* 0x94d0_49bb_1331_11eb | 1 : 0)
    }
}
