// SPDX-License-Identifier: Apache-2.0

/// Something an initiator has to be told before its next command: additional sense code and qualifier (SPC-4 annex F).
package struct UnitAttention: RawRepresentable, Hashable, Sendable {
    /// Code in the high byte, qualifier in the low.
    package let rawValue: UInt16
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    package static let notReadyToReadyChange = Self(rawValue: 0x2800)
    package static let powerOnResetOrBusDeviceReset = Self(rawValue: 0x2900)
    package static let powerOnOccurred = Self(rawValue: 0x2901)
    package static let scsiBusResetOccurred = Self(rawValue: 0x2902)
    package static let busDeviceResetFunctionOccurred = Self(rawValue: 0x2903)
    package static let nexusLossOccurred = Self(rawValue: 0x2907)
    package static let modeParametersChanged = Self(rawValue: 0x2A01)
    package static let reservationsPreempted = Self(rawValue: 0x2A03)
    package static let reservationsReleased = Self(rawValue: 0x2A04)
    package static let registrationsPreempted = Self(rawValue: 0x2A05)
    package static let asymmetricAccessStateChanged = Self(rawValue: 0x2A06)
    package static let capacityDataHasChanged = Self(rawValue: 0x2A09)
    package static let thinProvisioningSoftThresholdReached = Self(rawValue: 0x3807)
    package static let inquiryDataHasChanged = Self(rawValue: 0x3F03)
    package static let reportedLUNsDataHasChanged = Self(rawValue: 0x3F0E)

    /// Resets tell the initiator that all earlier state is gone.
    var isReset: Bool { rawValue >> 8 == 0x29 }
}
