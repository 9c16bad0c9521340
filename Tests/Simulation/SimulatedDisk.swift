// SPDX-License-Identifier: Apache-2.0
package import Engine
import Glibc
package import Platform
package import TestSupport
import Wire

/// The local disk of one gateway: segment files and the local state, with everything a disk may do to them. A write
/// is in the page cache once it completes and durable once a sync that began later succeeds; until then a power cut
/// keeps or loses each 512-byte sector by itself.
package struct SimulatedDisk {
    /// What the oracle keeps of a write to ask later whether it is durable.
    package struct WriteReceipt: Equatable {
        package var segment: SegmentID
        package var byteOffset: Int
        package var byteCount: Int
        package var version: UInt32
    }

    package enum PowerCutStyle: CaseIterable { case losesAll, keepsAll, keepsSome, keepsMost }

    package let segmentByteCount: Int
    private var segments: [SegmentID: SimulatedSegment] = [:]
    package private(set) var state: LocalState?
    /// Cuts that are not known to be in the bucket: each a file of its own, durable at once.
    package private(set) var cuts: [UInt64: PromisedCut] = [:]
    private var lastVersion: UInt32 = 0

    package init(segmentByteCount: Int) { self.segmentByteCount = segmentByteCount }

    package var segmentIDs: [SegmentID] { segments.keys.sorted() }

    // What completes.

    /// Done again after a failure, it finds its own work.
    package mutating func prepare(_ segment: SegmentID, reusing old: SegmentID?) -> Result<Void, SystemError> {
        if segments[segment] != nil { return .success(()) }
        if let old {
            guard let recycled = segments.removeValue(forKey: old) else {
                return .failure(SystemError(errorNumber: ENOENT, call: "rename"))
            }
            segments[segment] = recycled
        } else {
            segments[segment] = SimulatedSegment(byteCount: segmentByteCount)
        }
        return .success(())
    }

    /// - Returns: the receipt, or the reason; a segment that is not there is the engine's mistake.
    package mutating func write(
        _ segment: SegmentID, byteOffset: Int, _ bytes: UnsafeRawBufferPointer
    ) -> Result<WriteReceipt, SystemError> {
        guard segments[segment] != nil else { return .failure(SystemError(errorNumber: ENOENT, call: "pwrite")) }
        guard byteOffset >= 0, byteOffset + bytes.count <= segmentByteCount else {
            return .failure(SystemError(errorNumber: EFBIG, call: "pwrite"))
        }
        lastVersion += 1
        unsafe segments[segment]?.write(bytes, at: byteOffset, version: lastVersion)
        return .success(
            WriteReceipt(segment: segment, byteOffset: byteOffset, byteCount: bytes.count, version: lastVersion))
    }

    /// A sync that begins now covers exactly the writes that completed before.
    package var syncPoint: UInt32 { lastVersion }

    package mutating func sync(_ segment: SegmentID, through point: UInt32, random: inout SeededRandom) -> Bool {
        guard segments[segment] != nil else { return false }
        segments[segment]?.sync(through: point) { _ in random.oneIn(2) }
        return true
    }

    /// fsyncgate: the caller gets an error once, the pages are clean from then on, some of them never written.
    package mutating func failSync(_ segment: SegmentID, random: inout SeededRandom) {
        segments[segment]?.failSync { _ in random.oneIn(2) }
    }

    package func read(_ segment: SegmentID, byteOffset: Int, into target: UnsafeMutableRawBufferPointer, direct: Bool)
        -> SystemError?
    {
        guard let file = segments[segment] else { return SystemError(errorNumber: ENOENT, call: "pread") }
        guard byteOffset >= 0, byteOffset + target.count <= file.byteCount else {
            return SystemError(errorNumber: EIO, call: "pread (short)")
        }
        unsafe file.read(byteOffset, into: target, direct: direct)
        return nil
    }

    package mutating func save(_ state: LocalState) { self.state = state }

    package mutating func promise(_ cut: PromisedCut?, as id: UInt64) { cuts[id] = cut }

    package func byteCount(of segment: SegmentID) -> Int? { segments[segment]?.byteCount }

    // What goes wrong.

    /// Whole-machine power cut. Writes in flight must have been applied before (each sector may then be lost).
    package mutating func losePower(_ style: PowerCutStyle, random: inout SeededRandom) {
        for segment in segmentIDs {
            segments[segment]?.losePower { _ in
                switch style {
                case .losesAll: false
                case .keepsAll: true
                case .keepsSome: random.oneIn(2)
                case .keepsMost: !random.oneIn(16)
                }
            }
        }
    }

    /// Flips one bit of data that is on the medium.
    /// - Returns: where, if there was something to flip.
    package mutating func rot(
        _ segment: SegmentID, byteOffset: Int, random: inout SeededRandom
    ) -> Bool {
        segments[segment]?.rot(byteOffset: byteOffset, bit: random.below(8)) ?? false
    }

    package func isRotten(_ segment: SegmentID, byteOffset: Int, byteCount: Int) -> Bool {
        guard let rotten = segments[segment]?.rotten, !rotten.isEmpty else { return false }
        return (byteOffset / 512..<(byteOffset + byteCount + 511) / 512).contains { rotten.contains($0) }
    }

    package var hasRot: Bool { segments.values.contains { !$0.rotten.isEmpty } }

    // What the oracle asks.

    package func isDurable(_ receipt: WriteReceipt) -> Bool {
        segments[receipt.segment]?.isDurable(
            receipt.byteOffset, byteCount: receipt.byteCount, version: receipt.version) ?? false
    }

    package func holds(_ segment: SegmentID) -> Bool { segments[segment] != nil }

    package func isWritten(_ receipt: WriteReceipt) -> Bool {
        segments[receipt.segment]?.isWritten(
            receipt.byteOffset, byteCount: receipt.byteCount, version: receipt.version) ?? false
    }
}
