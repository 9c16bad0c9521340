// SPDX-License-Identifier: Apache-2.0
import Bus
import ISCSI
import Platform
import Wire

/// What one connection has to send: a linear buffer of headers and small data, and in between large data that stays
/// where it was received. One system call takes many parts.
struct OutputQueue {
    /// Smaller data is copied next to its header.
    private static let copyByteCount = 8 << 10
    private static let partsPerWrite = 64
    private static let keptCapacity = 256 << 10

    private struct Insert {
        /// How much of the linear buffer comes before it.
        var linearOffset: Int
        var data: FrameSlice
        var range: Range<Int>
    }

    var writer = PDUWriter()
    private var inserts: [Insert] = []
    private var insertedByteCount = 0
    private var firstInsert = 0
    private var sentOfInsert = 0
    private var sentLinear = 0
    private var sentInserted = 0
    /// Since the connection began.
    private(set) var sentByteCount: UInt64 = 0

    var pendingByteCount: Int { writer.bytes.count - sentLinear + insertedByteCount - sentInserted }
    var isEmpty: Bool { pendingByteCount == 0 }

    /// - Parameter range: of the data.
    mutating func append(_ pdu: SCSIDataIn, _ data: FrameSlice, _ range: Range<Int>) {
        writer.append(header: pdu.encoded(dataSegmentByteCount: range.count))
        let span = unsafe RawSpan(_unsafeBytes: data.bytes(range))
        guard range.count >= Self.copyByteCount else { return writer.append(data: span) }
        inserts.append(Insert(linearOffset: writer.bytes.count, data: data, range: range))
        insertedByteCount += range.count
        writer.appendDataTrailer(of: span)
    }

    mutating func append(_ pdu: SCSIDataIn, bytes: ArraySlice<UInt8>) {
        writer.append(pdu, data: Array(bytes))
    }

    /// Sends until all is sent or the socket takes no more. False: the connection has ended.
    mutating func flush(to descriptor: Int32) -> Bool {
        while !isEmpty {
            switch writeOnce(descriptor) {
            case .bytes(let count): advance(by: count)
            case .wouldBlock: return true
            case .ended: return false
            }
        }
        return true
    }

    private func writeOnce(_ descriptor: Int32) -> TCPSocket.Transfer {
        unsafe withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: Self.partsPerWrite) { parts in
            unsafe writer.bytes.withUnsafeBytes { linear in
                var count = 0
                var offset = sentLinear
                var skip = sentOfInsert
                // Neither the linear buffer nor the frames change or move before the call below has returned.
                for insert in inserts[firstInsert...] {
                    guard count + 2 < Self.partsPerWrite else { break }
                    if insert.linearOffset > offset {
                        unsafe parts[count] = UnsafeRawBufferPointer(rebasing: linear[offset..<insert.linearOffset])
                        count += 1
                        offset = insert.linearOffset
                    }
                    let rest = insert.range.lowerBound + skip..<insert.range.upperBound
                    unsafe parts[count] = insert.data.bytes(rest)
                    count += 1
                    skip = 0
                }
                let isLastPart = count + 2 < Self.partsPerWrite
                if isLastPart, offset < linear.count {
                    unsafe parts[count] = UnsafeRawBufferPointer(rebasing: linear[offset...])
                    count += 1
                }
                return unsafe TCPSocket.write(
                    descriptor, UnsafeMutableBufferPointer(rebasing: parts[..<count]))
            }
        }
    }

    private mutating func advance(by byteCount: Int) {
        sentByteCount += UInt64(byteCount)
        var rest = byteCount
        while rest > 0 {
            let nextInsert = firstInsert < inserts.count ? inserts[firstInsert] : nil
            let linearEnd = nextInsert?.linearOffset ?? writer.bytes.count
            if sentLinear < linearEnd {
                let count = min(rest, linearEnd - sentLinear)
                sentLinear += count
                rest -= count
                continue
            }
            guard let insert = nextInsert else { break }
            let count = min(rest, insert.range.count - sentOfInsert)
            sentOfInsert += count
            sentInserted += count
            rest -= count
            if sentOfInsert == insert.range.count {
                firstInsert += 1
                sentOfInsert = 0
            }
        }
        if isEmpty { reset() } else { dropWhatWasSent() }
    }

    /// A peer that always leaves a little would otherwise make the queue grow for ever.
    private mutating func dropWhatWasSent() {
        if firstInsert >= Self.partsPerWrite {
            inserts.removeFirst(firstInsert)
            firstInsert = 0
        }
        guard sentLinear >= Self.keptCapacity else { return }
        writer.bytes.removeFirst(sentLinear)
        for index in inserts.indices { inserts[index].linearOffset -= sentLinear }
        sentLinear = 0
    }

    private mutating func reset() {
        writer.bytes.removeAll(keepingCapacity: writer.bytes.capacity <= Self.keptCapacity)
        inserts.removeAll(keepingCapacity: true)
        (insertedByteCount, firstInsert, sentOfInsert, sentLinear, sentInserted) = (0, 0, 0, 0, 0)
    }
}
