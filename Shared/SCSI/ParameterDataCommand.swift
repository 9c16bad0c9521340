// SPDX-License-Identifier: Apache-2.0
package import Wire

/// A command that cannot be decided before its data-out has arrived. The transport collects `dataOutByteCount` bytes,
/// or as many as the initiator sends if fewer, and hands them to `CommandDecoder.finish`.
package struct ParameterDataCommand: Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        case unmap
        case writeSame(SectorRange)
    }

    package var kind: Kind
    /// At most 65,535.
    package var dataOutByteCount: Int

    init(kind: Kind, dataOutByteCount: Int) {
        self.kind = kind
        self.dataOutByteCount = dataOutByteCount
    }
}
