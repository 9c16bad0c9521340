// SPDX-License-Identifier: Apache-2.0
import SCSI
import TestSupport
import Testing

@Suite struct SenseTests {
    private static let golden: [(String, SCSIError)] = [
        ("sense-invalid-operation-code", .invalidOperationCode),
        ("sense-unknown-service-action", .invalidFieldInCDB(byte: 1, bit: 4)),
        ("sense-invalid-field-in-cdb", .invalidFieldInCDB(byte: 13, bit: nil)),
        ("sense-invalid-field-in-parameter-list", .invalidFieldInParameterList(byte: 16)),
        ("sense-power-on", .unitAttention(.powerOnOccurred)),
        ("sense-miscompare", .miscompare(byteOffset: 511)),
        ("sense-read-error", .unrecoveredReadError(sector: 0xFFFF_FFFF)),
        ("sense-read-error-far", .unrecoveredReadError(sector: 0x1_0000_0000)),
        ("sense-not-ready-becoming", .becomingReady),
        ("sense-manual-intervention", .manualInterventionRequired),
        ("sense-write-protected", .writeProtected),
        ("sense-unit-not-supported", .logicalUnitNotSupported),
    ]

    @Test func fixedSenseHasItsGoldenBytes() throws {
        for (name, error) in Self.golden {
            #expect(try error.sense.encoded() == Golden.bytes("scsi/v1/\(name)"), "\(name)")
        }
        #expect(try Sense.none.encoded() == Golden.bytes("scsi/v1/sense-none"))
    }

    @Test func descriptorSenseHasItsGoldenBytes() throws {
        let invalid = SCSIError.invalidFieldInCDB(byte: 13, bit: nil).sense
        #expect(try invalid.encoded(.descriptor) == Golden.bytes("scsi/v1/sense-invalid-field-in-cdb-descriptor"))
        let far = SCSIError.unrecoveredReadError(sector: 0x1_0000_0000).sense
        #expect(try far.encoded(.descriptor) == Golden.bytes("scsi/v1/sense-read-error-far-descriptor"))
        #expect(try Sense.none.encoded(.descriptor) == Golden.bytes("scsi/v1/sense-none-descriptor"))
    }

    @Test func everyErrorHasTheCodeThatInitiatorsKnow() {
        let codes: [(SCSIError, Sense.Key, UInt16)] = [
            (.logicalBlockAddressOutOfRange, .illegalRequest, 0x2100),
            (.invalidFieldInCommandInformationUnit, .illegalRequest, 0x0E03),
            (.parameterListLengthError, .illegalRequest, 0x1A00),
            (.savingParametersNotSupported, .illegalRequest, 0x3900),
            (.writeError, .mediumError, 0x0C00),
            (.protocolServiceCRCError, .abortedCommand, 0x4705),
            (.aborted, .abortedCommand, 0x0000),
            (.unitAttention(.nexusLossOccurred), .unitAttention, 0x2907),
            (.unitAttention(.capacityDataHasChanged), .unitAttention, 0x2A09),
        ]
        for (error, key, code) in codes {
            #expect(error.sense == Sense(key, code))
        }
    }

    @Test func invalidFieldsAlwaysCarryAFieldPointer() {
        for byte in [0, 1, 15, 65535, 70000] {
            let inCDB = SCSIError.invalidFieldInCDB(byte: byte, bit: 7).sense.encoded()
            #expect(inCDB[15] == 0xCF)
            let inList = SCSIError.invalidFieldInParameterList(byte: byte).sense.encoded()
            #expect(inList[15] == 0x80)
            let pointer = UInt16(clamping: byte).bytes
            #expect(Array(inCDB[16...17]) == pointer && Array(inList[16...17]) == pointer)
        }
    }
}
