// SPDX-License-Identifier: Apache-2.0

/// Byte 1 of Login Request and Response: T, C and the two stages (RFC 7143 §11.12.1-§11.12.3).
package struct LoginFlags: RawRepresentable, Equatable, Sendable {
    package enum Stage: UInt8, Sendable {
        case security = 0
        case operational = 1
        case fullFeature = 3
    }

    package var rawValue: UInt8
    @inlinable package init(rawValue: UInt8 = 0) { self.rawValue = rawValue }

    package init(transit: Bool, isContinued: Bool = false, current: Stage, next: Stage = .security) {
        rawValue = (transit ? 0x80 : 0) | (isContinued ? 0x40 : 0) | current.rawValue << 2 | next.rawValue
    }

    package var isTransit: Bool { rawValue & 0x80 != 0 }
    package var isContinued: Bool { rawValue & 0x40 != 0 }
    /// Nil for the reserved stage 2.
    package var current: Stage? { Stage(rawValue: rawValue >> 2 & 3) }
    package var next: Stage? { Stage(rawValue: rawValue & 3) }
}
