// SPDX-License-Identifier: Apache-2.0

/// Sense data, SPC-4 §4.5: why a command did not end well.
package struct Sense: Equatable, Sendable {
    package enum Key: UInt8, Sendable {
        case noSense = 0x0
        case notReady = 0x2
        case mediumError = 0x3
        case illegalRequest = 0x5
        case unitAttention = 0x6
        case dataProtect = 0x7
        case copyAborted = 0xA
        case abortedCommand = 0xB
        case miscompare = 0xE
    }

    package enum Format: Sendable { case fixed, descriptor }

    /// Which byte of what the initiator sent is wrong, and where known which bit.
    package struct FieldPointer: Equatable, Sendable {
        /// In the CDB; else in the parameter data.
        package var isInCDB: Bool
        package var byte: UInt16
        package var bit: UInt8?
        package init(isInCDB: Bool, byte: UInt16, bit: UInt8?) {
            self.isInCDB = isInCDB
            self.byte = byte
            self.bit = bit
        }
    }

    package var key: Key
    /// Additional sense code in the high byte, its qualifier in the low.
    package var additionalCode: UInt16
    package var fieldPointer: FieldPointer?
    /// A block address or byte offset, as the additional code says.
    package var information: UInt64?
    /// Of NOT READY: how much is done of what keeps the unit from serving, in 65,536ths. Never with a field pointer.
    package var progressIndication: UInt16?

    package init(
        _ key: Key, _ additionalCode: UInt16, fieldPointer: FieldPointer? = nil, information: UInt64? = nil,
        progressIndication: UInt16? = nil
    ) {
        precondition(fieldPointer == nil || progressIndication == nil, "both are the sense key specific field")
        self.key = key
        self.additionalCode = additionalCode
        self.fieldPointer = fieldPointer
        self.information = information
        self.progressIndication = progressIndication
    }

    static func illegalField(_ additionalCode: UInt16, isInCDB: Bool, byte: Int, bit: UInt8?) -> Sense {
        Sense(
            .illegalRequest, additionalCode,
            fieldPointer: FieldPointer(isInCDB: isInCDB, byte: UInt16(clamping: byte), bit: bit))
    }

    /// What REQUEST SENSE returns when there is nothing to say.
    package static let none = Sense(.noSense, 0x0000)

    /// Autosense is fixed, as D_SENSE=0 in the control mode page says.
    package func encoded(_ format: Format = .fixed) -> [UInt8] {
        format == .fixed ? fixed : descriptor
    }

    /// 18 bytes. INFORMATION has 32 bits here: what does not fit is left out and VALID stays 0.
    private var fixed: [UInt8] {
        let information = information.flatMap { UInt32(exactly: $0) }
        var bytes: [UInt8] = [information == nil ? 0x70 : 0xF0, 0, key.rawValue]
        bytes.appendBigEndian(information ?? 0)
        bytes.append(10)  // Additional sense length.
        bytes.appendBigEndian(UInt32(0))  // Command-specific information.
        bytes.appendBigEndian(additionalCode)
        bytes.append(0)  // Field replaceable unit code.
        bytes += senseKeySpecific
        return bytes
    }

    private var descriptor: [UInt8] {
        var bytes: [UInt8] = [0x72, key.rawValue]
        bytes.appendBigEndian(additionalCode)
        bytes += [0, 0, 0]
        bytes.append((information == nil ? 0 : 12) + (hasSenseKeySpecific ? 8 : 0))
        if let information {
            bytes += [0x00, 0x0A, 0x80, 0]  // Information descriptor, VALID.
            bytes.appendBigEndian(information)
        }
        if hasSenseKeySpecific {
            bytes += [0x02, 0x06, 0, 0] + senseKeySpecific + [0]
        }
        return bytes
    }

    private var hasSenseKeySpecific: Bool { fieldPointer != nil || progressIndication != nil }

    /// SKSV, then either C/D, BPV and the bit, and the byte; or the progress. Zeros without any.
    private var senseKeySpecific: [UInt8] {
        var bytes: [UInt8] = []
        if let pointer = fieldPointer {
            bytes.append(0x80 | (pointer.isInCDB ? 0x40 : 0) | (pointer.bit.map { 0x08 | $0 & 7 } ?? 0))
            bytes.appendBigEndian(pointer.byte)
        } else if let progressIndication {
            bytes.append(0x80)
            bytes.appendBigEndian(progressIndication)
        } else {
            bytes.appendZeros(3)
        }
        return bytes
    }
}
