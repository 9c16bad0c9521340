// SPDX-License-Identifier: Apache-2.0
package import ISCSI
import SCSI

extension SessionIdentity {
    /// The name of the initiator port (RFC 7143 §4.4.2).
    package var initiatorPort: String { "\(initiatorName),i,\(isid)" }

    /// The I_T nexus of this session as a number.
    package var nexus: UInt64 { NexusID(initiatorPort: initiatorPort, targetName: targetName ?? "").rawValue }
}
