// SPDX-License-Identifier: Apache-2.0
import FuzzSupport
import Platform
import Wire

@testable import Engine

/// Journals as an input describes them, with checksums and chain right unless it says otherwise.
enum JournalMaker {
    /// Segments that hold what the input says, byte for byte.
    static func raw(_ input: inout FuzzInput) -> SegmentMemory {
        let store = SegmentMemory()
        for number in 1...UInt32(1 + input.choice(2)) {
            let byteCount = Int(input.integer(UInt16.self))
            store.add(SegmentID(number), input.take(byteCount))
        }
        return store
    }

    static func journal(_ input: inout FuzzInput) -> SegmentMemory {
        let store = SegmentMemory()
        var chain = Chain()
        for number in 1...UInt32(1 + input.choice(3)) {
            store.add(SegmentID(number), segment(SegmentID(number), &chain, &input))
        }
        return store
    }

    private struct Chain {
        var sequence: UInt64 = 0
        var checksum: UInt32 = 0
    }

    private static func segment(_ id: SegmentID, _ chain: inout Chain, _ input: inout FuzzInput) -> [UInt8] {
        var bytes: [UInt8] = []
        var index = SegmentIndex()
        let first = chain.sequence &+ 1
        for _ in 0..<input.choice(5) {
            let (record, entriesByteCount) = record(id, &chain, &input)
            index.add(recordOffset: bytes.count, header: record, entriesByteCount: entriesByteCount)
            bytes += record.array
        }
        guard input.byte() < 0xa0 else { return bytes }
        let limit = SegmentMemory.limits.segmentByteCount
        let sealed = index.sealed(
            volume: FuzzJournal.volume, segment: id, generation: Generation(0), firstSequence: JournalSequence(first),
            lastSequence: JournalSequence(chain.sequence), segmentByteCount: limit)
        guard sealed.byteOffset >= bytes.count else { return bytes }
        bytes += [UInt8](repeating: 0, count: sealed.byteOffset - bytes.count) + sealed.buffer.array
        return damagedFooter(bytes, &input)
    }

    /// Rarely: another field of the footer, checksum made right.
    private static func damagedFooter(_ bytes: [UInt8], _ input: inout FuzzInput) -> [UInt8] {
        guard input.byte() > 0xe0 else { return bytes }
        var bytes = bytes
        let start = SegmentMemory.limits.segmentByteCount - SegmentFooter.byteCount
        bytes.setLittleEndian(input.edgy(UInt32.self), at: start + 20 + 4 * input.choice(9))
        bytes.setLittleEndian(bytes.checksum(start..<start + 60), at: start + 60)
        return bytes
    }

    private static func record(
        _ id: SegmentID, _ chain: inout Chain, _ input: inout FuzzInput
    ) -> (buffer: IOBuffer, entriesByteCount: Int) {
        var entries: [UInt8] = []
        var entryCount = 0
        let choice = input.byte()
        let kind: RecordKind = choice & 7 == 7 ? .checkpoint : choice & 7 == 6 ? .commitIntent : .data
        let data = [UInt8](repeating: choice, count: 4096 * Int(choice >> 6))
        if kind == .data {
            entryCount = input.choice(4)
            for _ in 0..<entryCount { entries += entry(data, &input) }
        } else {
            let words = kind == .checkpoint ? table(&input) : intent(&input)
            entryCount = words.count
            for word in words {
                for shift in 0..<8 { entries.append(UInt8(truncatingIfNeeded: word >> UInt64(8 * shift))) }
            }
        }
        let headerByteCount = RecordHeader.aligned(RecordHeader.byteCount + entries.count)
        let buffer = IOBuffer(byteCount: headerByteCount + data.count)
        unsafe entries.withUnsafeBytes { unsafe buffer.copy($0, to: RecordHeader.byteCount) }
        buffer.zero(RecordHeader.byteCount + entries.count..<buffer.byteCount)
        unsafe data.withUnsafeBytes { unsafe buffer.copy($0, to: headerByteCount) }
        chain.sequence &+= input.byte() < 0xf0 ? 1 : input.edgy()
        let synced = input.byte()
        let header = RecordHeader(
            kind: kind, volume: FuzzJournal.volume, generation: Generation(1), segment: id,
            sequence: JournalSequence(chain.sequence),
            syncedSequence: JournalSequence(synced < 0xe0 ? 0 : UInt64(synced & 0x0f)),
            previousChecksum: chain.checksum &+ (input.byte() > 0xf8 ? 1 : 0), headerByteCount: headerByteCount,
            dataByteCount: data.count, entryCount: entryCount + (input.byte() > 0xf8 ? 1 : 0),
            entriesByteCount: entries.count, wallMilliseconds: chain.sequence)
        chain.checksum = header.encode(into: buffer)
        return (buffer, entries.count)
    }

    private static func entry(_ data: [UInt8], _ input: inout FuzzInput) -> [UInt8] {
        let choice = input.byte()
        let operation = 1 + choice % 3
        var sectors = SectorRange(start: UInt64(input.byte()), count: UInt32(input.choice(20)))
        if choice >= 0xe0 { sectors = SectorRange(start: input.edgy(), count: input.edgy()) }
        // A fill is applied block by block.
        if operation == 2 { sectors.count &= 0xfff }
        let dataOffset = choice & 0x1c == 0x1c ? input.edgy(UInt32.self) : UInt32(input.choice(9)) * 512
        var bytes: [UInt8] = [operation, 3, 0, 0, 1, 0, 0, 0]
        bytes += [UInt8](repeating: 0, count: 32)
        bytes.setLittleEndian(UInt64(1 + choice & 1), at: 8)
        bytes.setLittleEndian(UInt64(input.byte()), at: 16)
        bytes.setLittleEndian(sectors.start, at: 24)
        bytes.setLittleEndian(sectors.count, at: 32)
        bytes.setLittleEndian(dataOffset, at: 36)
        return bytes + checksums(operation, sectors, dataOffset, data, isRight: input.byte() < 0xe0)
    }

    private static func checksums(
        _ operation: UInt8, _ sectors: SectorRange, _ dataOffset: UInt32, _ data: [UInt8], isRight: Bool
    ) -> [UInt8] {
        var sums: [UInt32] = []
        let offset = Int(dataOffset)
        switch operation {
        case 1:
            guard sectors.count < 64, sectors.start < UInt64.max - 64 else { break }
            var (sector, position) = (sectors.start, offset)
            while sector < sectors.end {
                let count: UInt64 = sector % 8 == 0 && sectors.end - sector >= 8 ? 8 : 1
                sums.append(data.checksum(position..<position + Int(count) * 512))
                sector += count
                position += Int(count) * 512
            }
        case 2: sums = [data.checksum(offset..<offset + 4096), data.checksum(offset..<offset + 512)]
        default: break
        }
        var bytes = [UInt8](repeating: 0, count: 4 * sums.count)
        for (index, sum) in sums.enumerated() { bytes.setLittleEndian(isRight ? sum : sum &+ 1, at: 4 * index) }
        return bytes
    }

    private static func table(_ input: inout FuzzInput) -> [UInt64] {
        var words: [UInt64] = [UInt64(input.choice(3))]
        for _ in 0..<words[0] {
            words += [UInt64(input.choice(3)), UInt64(input.byte()), 1, UInt64(input.byte())]
        }
        return input.byte() < 0xf0 ? words : words + [input.integer()]
    }

    private static func intent(_ input: inout FuzzInput) -> [UInt64] {
        let count = UInt64(input.choice(3))
        let words: [UInt64] = [1, 2, UInt64(input.byte()), UInt64(input.byte()), count]
        return words + (0..<2 * count).map { _ in input.edgy() }
    }
}
