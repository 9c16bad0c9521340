// SPDX-License-Identifier: Apache-2.0
package import Wire

/// What a fold did.
package struct FoldStatistics: Equatable, Sendable {
    /// A pack that the new root no longer names; what may be deleted once no other root names it.
    package struct ReleasedPack: Hashable, Sendable {
        package var owner: VolumeID
        package var name: PackName
        package var kind: PackTableRow.Kind
    }
    package var leavesWritten = 0
    package var leavesDropped = 0
    package var innerNodesWritten = 0
    package var tablePagesWritten = 0
    package var mapPacksWritten = 0
    package var mapByteCount = 0
    package var nodesFetched = 0
    package var released: [ReleasedPack] = []
    package init() {}
}
