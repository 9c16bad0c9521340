// SPDX-License-Identifier: Apache-2.0

/// What is known of a command before its fields are decoded.
package struct CommandDefinition: Equatable, Sendable {
    package struct Traits: OptionSet, Sendable {
        package let rawValue: UInt16
        package init(rawValue: UInt16) { self.rawValue = rawValue }
        /// Carried out although a unit attention is pending (SAM-5 §5.14).
        package static let passesUnitAttention = Traits(rawValue: 1)
        /// Refused while the volume does not serve.
        package static let needsReadyUnit = Traits(rawValue: 2)
        /// Refused on a write-protected unit.
        package static let writes = Traits(rawValue: 4)
        /// Carried out although another nexus has reserved the unit with RESERVE (SPC-2 §5.5.1).
        package static let passesReserve = Traits(rawValue: 8)
        /// Carried out whatever persistent reservation there is (SPC-4 §5.13, table 65).
        package static let passesPersistentReservation = Traits(rawValue: 16)
        /// Carried out for every nexus under a reservation of the write exclusive types. Those that pass any persistent
        /// reservation do not repeat it.
        package static let passesWriteExclusive = Traits(rawValue: 32)
        /// Carried out while the unit is being sanitized (SBC-3 §4.11).
        package static let passesSanitize = Traits(rawValue: 64)
        /// There only on a unit that may be sanitized, elsewhere as unknown as if it were not in the table.
        package static let sanitizes = Traits(rawValue: 128)
    }

    package let command: OperationCode
    package let traits: Traits
    /// CDB USAGE DATA, SPC-4 §6.35.3: the opcode, the service action, and every bit that means something to us, be it
    /// only that it is refused. Reserved and obsolete ones are 0.
    package let usage: CDB
    package let byteCount: Int
    /// Nil for an opcode without service actions.
    package let serviceAction: UInt8?

    package var opcode: UInt8 { usage.opcode }

    /// Seconds after which an initiator may well ask what has become of the command; 0 where that cannot be said.
    package var recommendedTimeoutSeconds: UInt32 {
        switch command {
        case .unmap, .writeSame10, .writeSame16, .extendedCopy: 120
        case .sanitizeBlockErase, .sanitizeCryptographicErase, .sanitizeExitFailureMode: 0
        default: 30
        }
    }

    /// NACA asks for auto contingent allegiance, which INQUIRY says we do not have (SAM-5 §5.2).
    package func checkControlByte(of cdb: CDB) throws(SCSIError) {
        if cdb.bit(2, ofByte: byteCount - 1) { throw .invalidFieldInCDB(byte: byteCount - 1, bit: 2) }
    }
}
