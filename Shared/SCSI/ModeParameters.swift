// SPDX-License-Identifier: Apache-2.0

/// What the mode pages tell beyond the properties of the unit: what MODE SELECT changed, and what its owner set.
package struct ModeParameters: Equatable, Codable, Sendable {
    /// SWP of the control mode page.
    package var isSoftwareWriteProtected: Bool
    /// A unit attention comes when fewer sectors than this are available to be mapped; nil for never.
    package var softThresholdSectorCount: UInt64?

    package init(isSoftwareWriteProtected: Bool = false, softThresholdSectorCount: UInt64? = nil) {
        self.isSoftwareWriteProtected = isSoftwareWriteProtected
        self.softThresholdSectorCount = softThresholdSectorCount
    }
}
