// SPDX-License-Identifier: Apache-2.0

/// What is known of a command before its fields are decoded.
package struct CommandDefinition: Equatable, Sendable {
    package struct Traits: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        /// Carried out although a unit attention is pending (SAM-5 §5.14).
        package static let passesUnitAttention = Traits(rawValue: 1)
        /// Refused while the volume does not serve.
        package static let needsReadyUnit = Traits(rawValue: 2)
        /// Refused on a write-protected unit.
        package static let writes = Traits(rawValue: 4)
    }

    package let command: OperationCode
    package let traits: Traits
    /// CDB USAGE DATA, SPC-4 §6.35.3: the opcode, the service action, and every bit that is looked at.
    package let usage: CDB
    package let byteCount: Int
    /// Nil for an opcode without service actions.
    package let serviceAction: UInt8?

    package var opcode: UInt8 { usage.opcode }
}
