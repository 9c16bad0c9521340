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
        ("sense-read-error", .unrecoveredReadError(blockAddress: 0xFFFF_FFFF)),
        ("sense-read-error-far", .unrecoveredReadError(blockAddress: 0x1_0000_0000)),
        ("sense-not-ready-becoming", .becomingReady),
        ("sense-manual-intervention", .manualInterventionRequired),
        ("sense-write-protected", .writeProtected),
        ("sense-unit-not-supported", .logicalUnitNotSupported),
        ("sense-sanitize-in-progress", .sanitizeInProgress(progress: 0x4000)),
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
        let sanitizing = SCSIError.sanitizeInProgress(progress: 0x4000).sense
        #expect(try sanitizing.encoded(.descriptor) == Golden.bytes("scsi/v1/sense-sanitize-in-progress-descriptor"))
        let far = SCSIError.unrecoveredReadError(blockAddress: 0x1_0000_0000).sense
        #expect(try far.encoded(.descriptor) == Golden.bytes("scsi/v1/sense-read-error-far-descriptor"))
        #expect(try Sense.none.encoded(.descriptor) == Golden.bytes("scsi/v1/sense-none-descriptor"))
    }

    @Test func everyErrorHasTheCodeThatInitiatorsKnow() {
        let codes: [(SCSIError, Sense.Key, UInt16)] = [
            (.logicalBlockAddressOutOfRange, .illegalRequest, 0x2100),
            (.invalidFieldInCommandInformationUnit, .illegalRequest, 0x0E03),
            (.parameterListLengthError, .illegalRequest, 0x1A00),
            (.invalidReleaseOfPersistentReservation, .illegalRequest, 0x2604),
            (.insufficientRegistrationResources, .illegalRequest, 0x5504),
            (.mediumRemovalPrevented, .illegalRequest, 0x5302),
            (.tooManyTargetDescriptors, .illegalRequest, 0x2606),
            (.tooManySegmentDescriptors, .illegalRequest, 0x2608),
            (.operationInProgress, .illegalRequest, 0x0016),
            (.copyTargetNotReachable, .copyAborted, 0x0D02),
            (.softwareWriteProtected, .dataProtect, 0x2702),
            (.unitAttention(.reservationsPreempted), .unitAttention, 0x2A03),
            (.unitAttention(.reservationsReleased), .unitAttention, 0x2A04),
            (.unitAttention(.registrationsPreempted), .unitAttention, 0x2A05),
            (.unitAttention(.asymmetricAccessStateChanged), .unitAttention, 0x2A06),
            (.unitAttention(.thinProvisioningSoftThresholdReached), .unitAttention, 0x3807),
            (.unitAttention(.notReadyToReadyChange), .unitAttention, 0x2800),
            (.savingParametersNotSupported, .illegalRequest, 0x3900),
            (.writeError, .mediumError, 0x0C00),
            (.insufficientResources, .illegalRequest, 0x5503), (.mediumNotPresent, .notReady, 0x3A00),
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

    @Test func unsupportedDescriptorsArePointedAt() {
        let target = SCSIError.unsupportedTargetDescriptorType(byte: 16).sense
        #expect(target.additionalCode == 0x2607 && target.fieldPointer?.byte == 16)
        let segment = SCSIError.unsupportedSegmentDescriptorType(byte: 48).sense
        #expect(segment.additionalCode == 0x2609 && segment.fieldPointer?.byte == 48)
    }

    @Test func fixedSenseSurvivesTheWayToTheTransport() throws {
        var errors = Self.golden.map(\.1).filter { $0 != .unrecoveredReadError(blockAddress: 0x1_0000_0000) }
        errors += [
            .invalidFieldInCDB(byte: 1, bit: 4), .invalidFieldInParameterList(byte: 20, bit: 3),
            .copyTargetNotReachable,
            .sanitizeInProgress(progress: 0), .sanitizeInProgress(progress: .max), .aborted, .writeError,
            .unsupportedSegmentDescriptorType(byte: 48),
        ]
        for error in errors { #expect(Sense(fixed: error.sense.encoded()) == error.sense, "\(error)") }
        #expect(Sense(fixed: Sense.none.encoded()) == Sense.none)
        // What does not fit the format is lost before.
        let far = try #require(
            Sense(fixed: SCSIError.unrecoveredReadError(blockAddress: 0x1_0000_0000).sense.encoded()))
        #expect(far == Sense(.mediumError, 0x1100))
    }

    @Test func whatIsNotFixedSenseIsNotRead() {
        let good = SCSIError.becomingReady.sense.encoded()
        for length in 0..<18 { #expect(Sense(fixed: Array(good[..<length])) == nil) }
        #expect(Sense(fixed: good + [0]) == nil)
        for code in UInt8.min...UInt8.max where code & 0x7F != 0x70 {
            #expect(Sense(fixed: [code] + good[1...]) == nil)
        }
        #expect(Sense(fixed: good[..<2] + [0x0F] + good[3...]) == nil)
    }
}
