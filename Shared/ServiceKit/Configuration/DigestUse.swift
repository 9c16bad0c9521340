// SPDX-License-Identifier: Apache-2.0

/// Whether CRC32C digests of iSCSI are used.
package enum DigestUse: String, ConfigurationChoice {
    /// If the initiator wants them.
    case accepted
    /// Logins that do not agree on them fail.
    case required
}
