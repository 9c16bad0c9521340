// SPDX-License-Identifier: Apache-2.0

/// The logical block provisioning log page, page 0Ch (SBC-3 §6.4.5): what is left to be mapped, and what is mapped.
package struct ProvisioningUse: Equatable, Sendable {
    /// Nil where nothing limits it but the medium itself.
    package var availableSectorCount: UInt64?
    package var usedSectorCount: UInt64

    package init(availableSectorCount: UInt64?, usedSectorCount: UInt64) {
        self.availableSectorCount = availableSectorCount
        self.usedSectorCount = usedSectorCount
    }

    private enum Parameter: UInt16 { case available = 1, used = 2 }
    /// SCOPE of a resource count.
    private enum Scope: UInt8 { case notReported = 0, dedicated = 1 }
    /// Format and linking: a list in binary.
    private static let binaryList: UInt8 = 0x03

    /// The parameters from a code on. Counts are of threshold sets: what is left is rounded down, what is used up.
    func parameters(from first: UInt16) throws(SCSIError) -> [UInt8] {
        guard first <= Parameter.used.rawValue else {
            throw .invalidFieldInCDB(byte: LogSenseCDB.parameterPointerByte, bit: 7)
        }
        let exponent = UInt64(BlockLimits.thresholdExponent)
        var bytes: [UInt8] = []
        if let availableSectorCount, first <= Parameter.available.rawValue {
            append(.available, availableSectorCount >> exponent, .notReported, to: &bytes)
        }
        let isRounded = usedSectorCount & (1 << exponent - 1) != 0
        append(.used, usedSectorCount >> exponent + (isRounded ? 1 : 0), .dedicated, to: &bytes)
        return bytes
    }

    private func append(_ parameter: Parameter, _ count: UInt64, _ scope: Scope, to bytes: inout [UInt8]) {
        bytes.appendBigEndian(parameter.rawValue)
        bytes += [Self.binaryList, 8]  // Eight bytes follow.
        bytes.appendBigEndian(UInt32(clamping: count))
        bytes += [scope.rawValue, 0, 0, 0]
    }
}
