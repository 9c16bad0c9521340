// SPDX-License-Identifier: Apache-2.0
import Wire

/// What every block of the volume may hold, as one initiator knows it: each write stamps its block with volume, block
/// and a rising sequence.
struct BlockOracle {
    /// The last write that was acknowledged.
    private var acknowledged: [UInt64: UInt64] = [:]
    /// Writes whose outcome is unknown, newer than the acknowledged one: any one of them, or none, may be there.
    private var unknown: [UInt64: Set<UInt64>] = [:]
    private(set) var lastSequence: UInt64 = 0

    mutating func nextSequence() -> UInt64 {
        lastSequence += 1
        return lastSequence
    }

    mutating func didAcknowledge(_ block: UInt64, _ sequence: UInt64) {
        acknowledged[block] = max(acknowledged[block] ?? 0, sequence)
        // The session's old commands were fenced off before this one was sent: they cannot come after it.
        unknown[block] = nil
    }

    mutating func didLose(_ block: UInt64, _ sequence: UInt64) { unknown[block, default: []].insert(sequence) }

    /// nil: the contents are fine.
    func complaint(_ block: UInt64, holds found: UInt64?) -> String? {
        let expected = acknowledged[block] ?? 0
        guard let found else {
            return "block \(block) holds no stamp of its own; sequence \(expected) was acknowledged"
        }
        if found == expected || unknown[block]?.contains(found) == true { return nil }
        return "block \(block) holds sequence \(found); acknowledged was \(expected), "
            + "unknown are \((unknown[block] ?? []).sorted())"
    }

    var blocks: [UInt64] { Array(Set(acknowledged.keys).union(unknown.keys)).sorted() }
}

/// The contents of a stamped block: every 64 bytes repeat volume, block, sequence and a check, so that a torn or
/// misplaced block cannot look right.
enum BlockStamp {
    static func bytes(volume: UInt64, block: UInt64, sequence: UInt64) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(Geometry.blockByteCount)
        for part in 0..<UInt64(64) {
            let check = (volume ^ block &* 0x9e37_79b9 ^ sequence &* 0x85eb_ca6b) &+ part
            for word in [volume, block, sequence, part, check, ~check, sequence, block] {
                for shift in 0..<8 { result.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * shift))) }
            }
        }
        return result
    }

    /// The sequence in a block: 0 for a block of zeros, nil if it is no sound stamp of this volume and block.
    static func sequence(in bytes: ArraySlice<UInt8>, volume: UInt64, block: UInt64) -> UInt64? {
        if bytes.allSatisfy({ $0 == 0 }) { return 0 }
        let start = bytes.startIndex + 16
        let sequence = (0..<8).reduce(UInt64(0)) { $0 | UInt64(bytes[start + $1]) << UInt64(8 * $1) }
        return bytes.elementsEqual(Self.bytes(volume: volume, block: block, sequence: sequence)) ? sequence : nil
    }
}
