// SPDX-License-Identifier: Apache-2.0
package import Wire

/// A unit that a target descriptor of EXTENDED COPY names and that the initiator may use.
package struct CopyTarget: Equatable, Sendable {
    package var volume: VolumeID
    package var sectorCount: UInt64
    /// In whose count the segments say where they begin.
    package var blockSize: LogicalBlockSize
    package init(volume: VolumeID, sectorCount: UInt64, blockSize: LogicalBlockSize = .sector) {
        self.volume = volume
        self.sectorCount = sectorCount
        self.blockSize = blockSize
    }

    package init(_ unit: LogicalUnit) {
        self.init(volume: unit.volume, sectorCount: unit.sectorCount, blockSize: unit.blockSize)
    }
}

/// An EXTENDED COPY to carry out: its segments one after the other, each as if all of its source were read before any
/// of its destination is written. The ranges lie inside their volumes; whether another volume than the unit's own lets
/// the copy in, its own device server says (`permitsCopy`). Ends with `DeviceServer.finishCopy`.
package struct CopyOperation: Equatable, Sendable {
    package struct Segment: Equatable, Sendable {
        package var source: VolumeID
        /// May be empty: there is nothing to copy.
        package var sectors: SectorRange
        package var destination: VolumeID
        package var destinationStart: UInt64
    }

    package let origin: CommandOrigin
    package let segments: [Segment]
    /// The next segment cannot be carried out: those before it are, and the command fails.
    package let endsInFailure: Bool
    /// Nil when the initiator does not want to be able to ask for the status.
    package let listID: UInt8?
    /// What the command took from the initiator.
    package let dataOutByteCount: Int
}
