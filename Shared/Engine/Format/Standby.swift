// SPDX-License-Identifier: Apache-2.0
package import Wire

/// The intention to take a volume over when its owner's lease runs out or its owner lets go, as the cache manager keeps
/// it on its disk until that has happened or is not wanted any more (docs/formats/head.md).
package struct Standby: Hashable, Codable, Sendable {
    package var formatVersion: Int
    package var volume: VolumeID
    package var createdMilliseconds: UInt64
    /// As it was when the intention was written down: for people and for the space to be kept free. What is taken over
    /// is what the bucket says then.
    package var head: Head
    package init(head: Head, createdMilliseconds: UInt64) {
        formatVersion = StandbyFormat.version
        volume = head.volume
        self.createdMilliseconds = createdMilliseconds
        self.head = head
    }
}

/// `RecordFormat` of a `Standby`. Version history: 1, first.
package enum StandbyFormat {
    package static let version = 1
    package static let byteLimit = HeadFormat.byteLimit + (64 << 10)
    private static let format = RecordFormat(name: .standby, newestVersion: version, byteLimit: byteLimit)

    package static func encode(_ standby: Standby) throws(EngineError) -> [UInt8] { try format.encode(standby) }

    package static func decode(_ bytes: [UInt8]) throws(EngineError) -> Standby {
        let standby: Standby = try format.decode(from: bytes)
        try HeadFormat.check(embedded: standby.head, format: .standby)
        guard standby.volume == standby.head.volume, standby.head.ownership == .lease else {
            throw .malformed(.standby, reason: "its HEAD is of another volume, or not under a lease")
        }
        return standby
    }
}
