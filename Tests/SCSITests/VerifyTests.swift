// SPDX-License-Identifier: Apache-2.0
import SCSI
import Testing
import Wire

/// VERIFY and WRITE AND VERIFY.
@Suite struct VerifyTests {
    private static let verify: [(opcode: UInt8, countByte: UInt16)] = [(0x2F, 7), (0xAF, 6), (0x8F, 10)]
    private static let writeAndVerify: [UInt8] = [0x2E, 0xAE, 0x8E]
    private static let compare: UInt8 = 0x02
    private static let compareWithOne: UInt8 = 0x06
    private static let disablePageOut: UInt8 = 0x10
    private static let sectors = SectorRange(start: 100, count: 4)

    private func decode(_ opcode: UInt8, _ flags: UInt8, count: UInt32 = 4, expectedDataOut: Int) -> CommandDisposition
    {
        TestUnit.decoder().decode(
            CDB(block: opcode, flags: flags, at: Self.sectors.start, count: count), expectedDataOut: expectedDataOut)
    }

    /// Data that comes nevertheless is dropped.
    @Test func withoutDataOnlyTheRangeIsVerified() {
        for (opcode, _) in Self.verify {
            for expected in [0, 512, 2048, 100_000] {
                for flags in [0, Self.disablePageOut] {
                    let disposition = decode(opcode, flags, expectedDataOut: expected)
                    #expect(disposition == .check(Self.sectors, .good))
                }
            }
            // It moves nothing, so no limit applies.
            let long = SectorRange(start: Self.sectors.start, count: 40000)
            #expect(decode(opcode, 0, count: 40000, expectedDataOut: 0) == .check(long, .good))
        }
    }

    @Test func dataIsCompared() {
        for (opcode, _) in Self.verify {
            for flags in [0, Self.disablePageOut] {
                let operation = decode(opcode, Self.compare | flags, expectedDataOut: 2048).operation
                #expect(
                    operation
                        == MediumOperation(kind: .verify, sectors: Self.sectors, disablePageOut: flags != 0))
                #expect(operation?.dataOutByteCount == 2048 && operation?.dataInByteCount == 0)
                #expect(operation?.transfer(expectedByteCount: 2048)?.byteCount == 2048)
                #expect(operation?.transfer(expectedByteCount: 2048)?.tailSector == nil)
            }
        }
    }

    @Test func aMiscompareTellsWhere() throws {
        let operation = try #require(decode(0x8F, Self.compare, expectedDataOut: 2048).operation)
        let result = operation.result(of: .miscompare(byteOffset: 1027))
        #expect(result.sense == Sense(.miscompare, 0x1D00, information: 1027) && result.transferByteCount == 2048)
    }

    /// More than needed is dropped, and shows as a residual.
    @Test func lessDataThanSectorsIsRefusedBehindTheRange() {
        for (opcode, _) in Self.verify {
            for expected in [0, 1, 512, 2047] {
                let disposition = decode(opcode, Self.compare, expectedDataOut: expected)
                #expect(disposition.failsBehindRange(Self.sectors, 0x0E03))
            }
            for expected in [2049, 4096, Int(UInt32.max)] {
                let operation = decode(opcode, Self.compare, expectedDataOut: expected).operation
                #expect(operation?.transfer(expectedByteCount: expected)?.byteCount == 2048)
            }
        }
    }

    @Test func comparingHasTheLimitOfTransfers() {
        for (opcode, byte) in Self.verify where opcode != 0x2F {
            let whole = decode(opcode, Self.compare, count: 65536, expectedDataOut: 65536 * 512)
            #expect(whole.operation?.sectors.count == 65536)
            let sectors = SectorRange(start: Self.sectors.start, count: 65537)
            // The limit ranks before the data's length.
            let long = decode(opcode, Self.compare, count: 65537, expectedDataOut: 0)
            #expect(long.failsBehindRange(sectors, 0x2400, byte: byte))
        }
    }

    @Test func oneBlockIsComparedWithAll() {
        for (opcode, byte) in Self.verify {
            let operation = decode(opcode, Self.compareWithOne, expectedDataOut: 512).operation
            #expect(operation == MediumOperation(kind: .verifySame, sectors: Self.sectors))
            #expect(operation?.dataOutByteCount == 512)
            let transfer = operation?.transfer(expectedByteCount: 2048)
            #expect(transfer?.sectors == Self.sectors && transfer?.byteCount == 512 && transfer?.tailSector == nil)
            let short = decode(opcode, Self.compareWithOne, expectedDataOut: 511)
            #expect(short.failsBehindRange(Self.sectors, 0x0E03))
            guard opcode != 0x2F else { continue }
            let sectors = SectorRange(start: Self.sectors.start, count: 65537)
            let long = decode(opcode, Self.compareWithOne, count: 65537, expectedDataOut: 512)
            #expect(long.failsBehindRange(sectors, 0x2400, byte: byte))
        }
    }

    @Test func nothingIsEqualToNothing() {
        for (opcode, _) in Self.verify {
            for flags in [0, Self.compare] {
                let disposition = decode(opcode, flags, count: 0, expectedDataOut: 0)
                #expect(disposition == .check(SectorRange(start: Self.sectors.start, count: 0), .good))
            }
        }
    }

    @Test func otherComparisonsAreRefused() {
        let refused =
            Self.verify.map { ($0.opcode, UInt8(0x04)) }
            + Self.writeAndVerify.flatMap { [($0, UInt8(0x04)), ($0, Self.compareWithOne)] }
        for (opcode, flags) in refused {
            let disposition = decode(opcode, flags, expectedDataOut: 2048)
            #expect(disposition.isInvalidFieldBeforeRange(byte: 1))
            guard case .check(_, let result) = disposition else { continue }
            #expect(result.sense?.fieldPointer?.bit == 2)
        }
    }

    @Test func whatIsVerifiedAfterwardsIsWrittenThrough() {
        for opcode in Self.writeAndVerify {
            for flags in [0, Self.compare, Self.disablePageOut, Self.compare | Self.disablePageOut] {
                let operation = decode(opcode, flags, expectedDataOut: 2048).operation
                let expected = MediumOperation(
                    kind: .write, sectors: Self.sectors, forceUnitAccess: true,
                    disablePageOut: flags & Self.disablePageOut != 0)
                #expect(operation == expected)
            }
            // Residuals are those of a write.
            let short = decode(opcode, Self.compare, expectedDataOut: 200).operation
            #expect(short?.transfer(expectedByteCount: 200)?.partialTailByteCount == 200)
        }
    }
}
