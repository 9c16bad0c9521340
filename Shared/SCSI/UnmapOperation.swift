// SPDX-License-Identifier: Apache-2.0
package import Wire

/// Sectors to deallocate: of an UNMAP list, or of a WRITE SAME of zeros. All must read as zeros afterwards, also where
/// a range ends inside an allocation unit. Ranges are inside the medium, not empty, in the initiator's order, and may
/// overlap.
package struct UnmapOperation: Equatable, Sendable {
    package var ranges: [SectorRange]
    /// What the command took from the initiator.
    package var dataOutByteCount: Int

    package init(ranges: [SectorRange], dataOutByteCount: Int) {
        self.ranges = ranges
        self.dataOutByteCount = dataOutByteCount
    }

    package func result(of outcome: MediumOutcome) -> CommandResult {
        CommandResult(outcome, dataOutByteCount: dataOutByteCount, dataInByteCount: 0)
    }
}
