// SPDX-License-Identifier: Apache-2.0
import Wire

/// The contents that stamps stand for, beyond what one command wrote: ORWRITE mixes what is there with what it brings.
/// A mixture has a stamp of its own, the same for the same commands.
final class SectorMixtures {
    /// No command has such a stamp.
    static let first: SectorPattern.Stamp = 1 << 31

    private var parts: [[SectorPattern.Stamp]] = []
    private var stamps: [[SectorPattern.Stamp]: SectorPattern.Stamp] = [:]

    func parts(of stamp: SectorPattern.Stamp) -> [SectorPattern.Stamp] {
        stamp < Self.first ? [stamp] : parts[Int(stamp - Self.first)]
    }

    /// What a sector holds after `added` was set in what had the stamp `held`.
    func mix(_ held: SectorPattern.Stamp, _ added: SectorPattern.Stamp) -> SectorPattern.Stamp {
        if held == 0 || added == 0 { return max(held, added) }
        let mixture = Set(parts(of: held) + parts(of: added)).sorted()
        if mixture.count == 1 { return mixture[0] }
        if let known = stamps[mixture] { return known }
        let stamp = Self.first + SectorPattern.Stamp(parts.count)
        parts.append(mixture)
        stamps[mixture] = stamp
        return stamp
    }
}

extension CommandLedger {
    /// Writes what a sector with this stamp holds.
    func fill(_ target: UnsafeMutableRawBufferPointer, stamp: SectorPattern.Stamp, sector: UInt64) {
        unsafe target.initializeMemory(as: UInt8.self, repeating: 0)
        var pattern = [UInt8](repeating: 0, count: Geometry.sectorByteCount)
        for part in mixtures.parts(of: stamp) {
            unsafe pattern.withUnsafeMutableBytes { pattern in
                unsafe SectorPattern.fill(pattern, stamp: part, sector: isFill(part) ? nil : sector)
                for index in target.indices { unsafe target[index] |= pattern[index] }
            }
        }
    }

    /// Whether a sector holds just what this stamp stands for.
    func holds(_ bytes: UnsafeRawBufferPointer, _ stamp: SectorPattern.Stamp, sector: UInt64) -> Bool {
        var expected = [UInt8](repeating: 0, count: Geometry.sectorByteCount)
        return unsafe expected.withUnsafeMutableBytes { expected in
            unsafe fill(expected, stamp: stamp, sector: sector)
            return unsafe expected.elementsEqual(bytes)
        }
    }

    /// Whether both stand for the same bytes: after enough commands all bits of a mixture are set.
    func areAlike(_ stamp: SectorPattern.Stamp, _ other: SectorPattern.Stamp, sector: UInt64) -> Bool {
        if stamp == other { return true }
        guard max(stamp, other) >= SectorMixtures.first else { return false }
        var bytes = [UInt8](repeating: 0, count: Geometry.sectorByteCount)
        return unsafe bytes.withUnsafeMutableBytes { bytes in
            unsafe fill(bytes, stamp: stamp, sector: sector)
            return unsafe holds(UnsafeRawBufferPointer(bytes), other, sector: sector)
        }
    }

    /// The stamp of what a sector holds: of one command, or one of the mixtures that it might be.
    func stamp(
        of bytes: UnsafeRawBufferPointer, sector: UInt64, among candidates: @autoclosure () -> [SectorPattern.Stamp]
    ) -> SectorPattern.Stamp? {
        if let stamp = unsafe SectorPattern.stamp(of: bytes, sector: sector) { return stamp }
        return candidates().first {
            unsafe $0 >= SectorMixtures.first && holds(bytes, $0, sector: sector)
        }
    }
}
