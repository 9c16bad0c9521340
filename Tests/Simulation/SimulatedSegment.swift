// SPDX-License-Identifier: Apache-2.0
import Platform
import Wire

/// One segment file as the kernel and the medium see it. Each 512-byte sector has what the page cache holds and what
/// would be left after a power cut, and a version for either, so that "is this write durable?" has one answer.
struct SimulatedSegment {
    static let sectorByteCount = Geometry.sectorByteCount

    let byteCount: Int
    private(set) var cached: [UInt8]
    private(set) var durable: [UInt8]
    /// The write that a sector's bytes come from; 0 for the file's first zeros.
    private var cachedVersion: [UInt32]
    private var durableVersion: [UInt32]
    /// Sectors that the kernel still means to write. After a failed sync a sector is clean and yet not durable.
    private var dirty: [Bool]
    /// Sectors whose durable bytes were flipped since they were written.
    private(set) var rotten: Set<Int> = []

    init(byteCount: Int) {
        precondition(byteCount % Self.sectorByteCount == 0)
        self.byteCount = byteCount
        let sectors = byteCount / Self.sectorByteCount
        cached = [UInt8](repeating: 0, count: byteCount)
        durable = cached
        cachedVersion = [UInt32](repeating: 0, count: sectors)
        durableVersion = cachedVersion
        dirty = [Bool](repeating: false, count: sectors)
    }

    private static func sectors(_ byteOffset: Int, _ byteCount: Int) -> Range<Int> {
        byteOffset / sectorByteCount..<(byteOffset + byteCount + sectorByteCount - 1) / sectorByteCount
    }

    mutating func write(_ bytes: UnsafeRawBufferPointer, at byteOffset: Int, version: UInt32) {
        precondition(byteOffset % Self.sectorByteCount == 0 && bytes.count % Self.sectorByteCount == 0)
        unsafe cached.withUnsafeMutableBytes { target in
            unsafe UnsafeMutableRawBufferPointer(rebasing: target[byteOffset..<byteOffset + bytes.count])
                .copyMemory(from: bytes)
        }
        for sector in Self.sectors(byteOffset, bytes.count) {
            cachedVersion[sector] = version
            dirty[sector] = true
            rotten.remove(sector)
        }
    }

    /// - Parameter direct: as O_DIRECT reads: what the kernel does not mean to write any more comes from the medium.
    func read(_ byteOffset: Int, into target: UnsafeMutableRawBufferPointer, direct: Bool) {
        let range = byteOffset..<byteOffset + target.count
        unsafe cached.withUnsafeBytes { bytes in
            unsafe target.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[range]))
        }
        guard direct else { return }
        for sector in Self.sectors(byteOffset, target.count) where isLost(sector) {
            let bytes = range.clamped(to: sector * Self.sectorByteCount..<(sector + 1) * Self.sectorByteCount)
            for index in bytes { unsafe target[index - byteOffset] = durable[index] }
        }
    }

    private func isLost(_ sector: Int) -> Bool { !dirty[sector] && durableVersion[sector] != cachedVersion[sector] }

    /// Makes durable what was written no later than `version`; of what came after it, what `includes` says.
    mutating func sync(through version: UInt32, includes: (Int) -> Bool) {
        for sector in dirty.indices where dirty[sector] {
            if cachedVersion[sector] <= version || includes(sector) { settle(sector) }
        }
    }

    /// A sync that fails: the kernel marks the pages clean all the same. What `includes` says reached the medium.
    mutating func failSync(includes: (Int) -> Bool) {
        for sector in dirty.indices where dirty[sector] {
            if includes(sector) { settle(sector) } else { dirty[sector] = false }
        }
    }

    private mutating func settle(_ sector: Int) {
        let range = sector * Self.sectorByteCount..<(sector + 1) * Self.sectorByteCount
        unsafe cached.withUnsafeBytes { source in
            unsafe durable.withUnsafeMutableBytes { target in
                unsafe UnsafeMutableRawBufferPointer(rebasing: target[range])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[range]))
            }
        }
        durableVersion[sector] = cachedVersion[sector]
        dirty[sector] = false
    }

    /// The machine lost power: of what was not synced, `keeps` says which sectors reached the medium.
    mutating func losePower(keeps: (Int) -> Bool) {
        for sector in dirty.indices where dirty[sector] && keeps(sector) { settle(sector) }
        cached = durable
        cachedVersion = durableVersion
        for sector in dirty.indices { dirty[sector] = false }
    }

    /// Whether every byte of the range, as written by `version` or later, would survive a power cut.
    func isDurable(_ byteOffset: Int, byteCount: Int, version: UInt32) -> Bool {
        Self.sectors(byteOffset, byteCount).allSatisfy { durableVersion[$0] >= version }
    }

    /// Whether the page cache holds the range as written by `version` or later.
    func isWritten(_ byteOffset: Int, byteCount: Int, version: UInt32) -> Bool {
        Self.sectors(byteOffset, byteCount).allSatisfy { cachedVersion[$0] >= version }
    }

    /// Flips one bit on the medium and drops the page, so that the next read sees it. Only of a settled sector.
    mutating func rot(byteOffset: Int, bit: Int) -> Bool {
        let sector = byteOffset / Self.sectorByteCount
        guard !dirty[sector], durableVersion[sector] == cachedVersion[sector] else { return false }
        durable[byteOffset] ^= 1 << UInt8(bit)
        cached[byteOffset] = durable[byteOffset]
        rotten.insert(sector)
        return true
    }
}
