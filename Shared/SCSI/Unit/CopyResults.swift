// SPDX-License-Identifier: Apache-2.0

/// How the EXTENDED COPY commands of one nexus ended, for RECEIVE COPY STATUS (SPC-4 §6.18.2). Bounded: the oldest are
/// forgotten.
package struct CopyResults: Equatable, Sendable {
    package struct Entry: Equatable, Sendable {
        package let listID: UInt8
        package let hasFailed: Bool
        package let segmentCount: UInt16
        package let byteCount: UInt32
    }

    static let maximumCount = 16

    /// Oldest first; each list id once.
    var entries: [Entry] = []

    package init() {}

    mutating func record(_ entry: Entry) {
        entries.removeAll { $0.listID == entry.listID }
        if entries.count >= Self.maximumCount { entries.removeFirst() }
        entries.append(entry)
    }

    /// Parameter data of RECEIVE COPY STATUS(LID1), SPC-4 §6.18.2; nil entry: it still runs. No data is held.
    static func statusData(_ entry: Entry?) -> [UInt8] {
        var data: [UInt8] = []
        data.appendBigEndian(UInt32(8))
        data.append(entry.map { $0.hasFailed ? 0x02 : 0x01 } ?? 0x00)
        data.appendBigEndian(entry?.segmentCount ?? 0)
        data.append(0)  // Counted in bytes.
        data.appendBigEndian(entry?.byteCount ?? 0)
        return data
    }

    func entry(of listID: UInt8) -> Entry? { entries.first { $0.listID == listID } }
}
