// SPDX-License-Identifier: Apache-2.0

/// The task management functions that concern all nexuses of a unit, by their codes (RFC 7143 §11.5.1).
package enum UnitManagement: UInt8, Sendable {
    case clearTaskSet = 4
    case logicalUnitReset = 5
    case targetWarmReset = 6
    case targetColdReset = 7
}
