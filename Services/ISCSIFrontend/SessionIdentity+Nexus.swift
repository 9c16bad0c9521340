// SPDX-License-Identifier: Apache-2.0
package import ISCSI

extension SessionIdentity {
    /// The name of the initiator port (RFC 7143 §4.4.2).
    package var initiatorPort: String { "\(initiatorName),i,\(isid)" }

    /// The I_T nexus of this session as a number: 64-bit FNV-1a over initiator port and target port in their SCSI
    /// names (RFC 7143 §4.4.2), mixed once more because FNV leaves the high bits of short texts alike. Every frontend
    /// comes to the same number, and reservations are stored under it: it never changes.
    package func nexus(portalGroupTag: UInt16) -> UInt64 {
        let text = "\(initiatorName),i,\(isid)|\(targetName ?? ""),t,\(portalGroupTag)"
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in text.utf8 {
            hash ^= UInt64(byte)
            hash &*= 0x0000_0100_0000_01b3
        }
        hash = (hash ^ hash >> 30) &* 0xbf58_476d_1ce4_e5b9
        hash = (hash ^ hash >> 27) &* 0x94d0_49bb_1331_11eb
        return hash ^ hash >> 31
    }
}
