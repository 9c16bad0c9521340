// SPDX-License-Identifier: Apache-2.0

/// The one SCSI target port of each target. Every frontend is only another network portal of it, so that what names it
/// is the same on every path.
package enum TargetPort {
    package static let relativeIdentifier: UInt16 = 1
    package static let portalGroupTag: UInt16 = 1
    /// Of asymmetric access; always active and optimized.
    package static let group: UInt16 = 1
}
