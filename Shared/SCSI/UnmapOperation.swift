// SPDX-License-Identifier: Apache-2.0
package import Wire

/// Sectors to deallocate: of an UNMAP list, or of a WRITE SAME of zeros. All must read as zeros afterwards, also where
/// a range ends inside an allocation unit. Ranges are in the initiator's order and may overlap.
///
/// They are as the initiator gave them, not yet judged against the medium, and may be empty: an UNMAP descriptor of no
/// sectors unmaps nothing, but where it points still has to be right. Each must satisfy
/// `LogicalUnit.contains(unmapped:)`, `start <= NB && count <= NB - start`, before any is unmapped, else the whole
/// command is out of range.
package struct UnmapOperation: Equatable, Sendable {
    package var ranges: [SectorRange]
    /// What the initiator counts in.
    package var blockSize: LogicalBlockSize
    /// What the command took from the initiator.
    package var dataOutByteCount: Int

    package init(ranges: [SectorRange], blockSize: LogicalBlockSize = .sector, dataOutByteCount: Int) {
        self.ranges = ranges
        self.blockSize = blockSize
        self.dataOutByteCount = dataOutByteCount
    }

    package func result(of outcome: MediumOutcome) -> CommandResult {
        CommandResult(outcome, blockSize, dataOutByteCount: dataOutByteCount)
    }
}
