// SPDX-License-Identifier: Apache-2.0
import Wire

/// Where a block's (or sector's) newest bytes lie in the journal, with their checksum. 12 bytes, because there is one
/// for every dirty block.
struct DirtyEntry: Equatable, Sendable {
    /// Segment, or one of the two markers.
    private var place: UInt32
    /// Offset in units of 512 bytes; for a partial block its index in the layer's slab.
    private var unit: UInt32
    var checksum: UInt32

    private static let zeroMarker = UInt32.max
    private static let partialMarker = UInt32.max - 1

    static let zero = DirtyEntry(place: zeroMarker, unit: 0, checksum: 0)

    init(segment: SegmentID, byteOffset: Int, checksum: UInt32) {
        precondition(segment.rawValue < Self.partialMarker && byteOffset % 512 == 0)
        self.init(place: segment.rawValue, unit: UInt32(byteOffset / 512), checksum: checksum)
    }

    init(partial index: Int) { self.init(place: Self.partialMarker, unit: UInt32(index), checksum: 0) }

    private init(place: UInt32, unit: UInt32, checksum: UInt32) {
        self.place = place
        self.unit = unit
        self.checksum = checksum
    }

    var isZero: Bool { place == Self.zeroMarker }
    var partialIndex: Int? { place == Self.partialMarker ? Int(unit) : nil }
    var segment: SegmentID { SegmentID(place) }
    var byteOffset: Int { Int(unit) * 512 }
}

/// A block of which a layer holds only some sectors, merged from all writes to it in that layer.
struct PartialBlock: Sendable {
    /// Bit n: sector n is here.
    private(set) var mask: UInt8 = 0
    private var sectors: InlineArray<8, DirtyEntry> = .init(repeating: .zero)
    /// What the same layer holds under these sectors; nil: look in the layers below.
    let base: DirtyEntry?

    init(base: DirtyEntry?) { self.base = base }

    mutating func set(_ sector: Int, _ entry: DirtyEntry) {
        sectors[sector] = entry
        mask |= 1 << UInt8(sector)
    }

    /// Nothing but zeros, whatever lies below.
    var isZero: Bool { (mask == .max || base?.isZero == true) && zeroMask == mask }

    /// The sectors that are here and were zeroed.
    var zeroMask: UInt8 {
        var zeros: UInt8 = 0
        for sector in 0..<Geometry.sectorsPerBlock where sectors[sector].isZero { zeros |= 1 << UInt8(sector) }
        return zeros & mask
    }

    /// The sector's place, or nil if this layer does not hold it.
    subscript(_ sector: Int) -> DirtyEntry? { mask & (1 << UInt8(sector)) != 0 ? sectors[sector] : nil }
}
