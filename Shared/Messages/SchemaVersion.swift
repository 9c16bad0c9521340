// SPDX-License-Identifier: Apache-2.0

/// The version of everything in this module, sent in each envelope. A minor version adds message kinds, enum cases and
/// optional fields at the end of structs; whatever else changes is a new major version, which older services refuse.
package struct SchemaVersion: Hashable, Sendable, CustomStringConvertible {
    package var major: UInt16
    package var minor: UInt16
    package init(major: UInt16, minor: UInt16) {
        self.major = major
        self.minor = minor
    }
    package static let current = SchemaVersion(major: 1, minor: 1)
    package var description: String { "\(major).\(minor)" }
}
