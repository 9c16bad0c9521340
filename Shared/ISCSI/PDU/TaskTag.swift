// SPDX-License-Identifier: Apache-2.0

/// Values of initiator task tags and target transfer tags with a meaning of their own.
package enum TaskTag {
    /// "No task" and "no transfer": FFFFFFFF is never a tag of anything (RFC 7143 §11.2.1.8).
    package static let reserved: UInt32 = 0xffff_ffff
}
