// SPDX-License-Identifier: Apache-2.0
import SCSI
import Testing
import Wire

@Suite struct WriteSameTests {
    private static let opcodes: [UInt8] = [0x41, 0x93]
    private static let unmap: UInt8 = 0x08
    private static let zeros = [UInt8](repeating: 0, count: 512)

    private func begin(
        _ opcode: UInt8, flags: UInt8 = 0, at address: UInt64 = 0, count: UInt32 = 8, expectedDataOut: Int = 512,
        _ blockSize: LogicalBlockSize = .sector
    ) -> CommandDisposition {
        TestUnit.decoder(blockSize).begin(
            CDB(block: opcode, flags: flags, at: address, count: count), expectedDataOut: expectedDataOut)
    }

    @Test func aPatternIsWrittenWhetherOrNotUnmapIsAsked() throws {
        let decoder = TestUnit.decoder()
        for opcode in Self.opcodes {
            for flags in [0, Self.unmap] {
                let command = try #require(begin(opcode, flags: flags, at: 40).parameterData)
                #expect(command.dataOutByteCount == 512)
                for position in [0, 7, 8, 255, 511] {
                    var block = Self.zeros
                    block[position] = 1
                    let operation = try #require(decoder.finish(command, block).operation)
                    #expect(operation.kind == .writeSame)
                    #expect(operation.sectors == SectorRange(start: 40, count: 8))
                    #expect(operation.dataOutByteCount == 512 && !operation.forceUnitAccess)
                }
            }
        }
    }

    @Test func aLargerBlockIsWrittenOrUnmapped() throws {
        let size = LogicalBlockSize.fourKibibytes
        let decoder = TestUnit.decoder(size)
        let sectors = SectorRange(start: 320, count: 64)
        for opcode in Self.opcodes {
            for expected in [0, 512, 4095, 4097, 8192] {
                #expect(begin(opcode, expectedDataOut: expected, size).fails(.illegalRequest, 0x0E03))
            }
            let command = try #require(begin(opcode, at: 40, expectedDataOut: 4096, size).parameterData)
            #expect(command.dataOutByteCount == 4096)
            var block = [UInt8](repeating: 0, count: 4096)
            guard case .unmap(let unmap) = decoder.finish(command, block) else {
                Issue.record("not unmapped")
                return
            }
            #expect(unmap.ranges == [sectors] && unmap.result(of: .good).transferByteCount == 4096)
            block[4095] = 1
            let operation = try #require(decoder.finish(command, block).operation)
            #expect(operation == MediumOperation(kind: .writeSame, sectors: sectors, blockSize: size))
            #expect(operation.dataOutByteCount == 4096)
            #expect(operation.transfer(expectedByteCount: 4096)?.sectors == sectors)
            #expect(decoder.finish(command, Array(block[..<512])).fails(.illegalRequest, 0x0E03))
        }
        #expect(begin(0x93, flags: Self.unmap, at: 40, expectedDataOut: 0, size).unmapRanges == [sectors])
    }

    @Test func zerosAreUnmapped() throws {
        let decoder = TestUnit.decoder()
        for opcode in Self.opcodes {
            for flags in [0, Self.unmap] {
                let command = try #require(begin(opcode, flags: flags, at: 40).parameterData)
                guard case .unmap(let operation) = decoder.finish(command, Self.zeros) else {
                    Issue.record("not unmapped")
                    return
                }
                #expect(operation.ranges == [SectorRange(start: 40, count: 8)])
                #expect(operation.result(of: .good).transferByteCount == 512)
            }
        }
    }

    @Test func unmapNeedsNoBlock() {
        for opcode in Self.opcodes {
            let ranges = begin(opcode, flags: Self.unmap, at: 3, count: 5, expectedDataOut: 0).unmapRanges
            #expect(ranges == [SectorRange(start: 3, count: 5)])
        }
    }

    @Test func withoutDataOutZerosAreMeant() {
        for flags in [0x01, 0x09] as [UInt8] {
            for expected in [0, 512] {
                guard case .unmap(let operation) = begin(0x93, flags: flags, expectedDataOut: expected) else {
                    Issue.record("not unmapped")
                    return
                }
                #expect(operation.dataOutByteCount == 0)
            }
        }
        // The bit means nothing in WRITE SAME(10).
        #expect(begin(0x41, flags: 0x01).parameterData != nil)
    }

    @Test func exactlyOneBlockIsTaken() throws {
        for opcode in Self.opcodes {
            for expected in [0, 1, 511, 513, 1024, 4096] {
                #expect(begin(opcode, expectedDataOut: expected).fails(.illegalRequest, 0x0E03))
            }
            #expect(begin(opcode, flags: Self.unmap, expectedDataOut: 1024).fails(.illegalRequest, 0x0E03))
        }
        let command = try #require(begin(0x93).parameterData)
        for received in [0, 511] {
            let short = [UInt8](repeating: 1, count: received)
            #expect(TestUnit.decoder().finish(command, short).fails(.illegalRequest, 0x0E03))
        }
    }

    @Test func anchorsAndWrittenAddressesAreRefused() {
        for opcode in Self.opcodes {
            for flags in [0x10, 0x18, 0x04, 0x02, 0x06] as [UInt8] {
                #expect(begin(opcode, flags: flags, at: UInt64(UInt32.max)).isInvalidField(byte: 1))
            }
        }
    }

    @Test func zeroSectorsAreRefusedAfterTheirAddress() {
        for (opcode, byte) in [(0x41, 7), (0x93, 10)] as [(UInt8, UInt16)] {
            #expect(begin(opcode, count: 0).isInvalidField(byte: byte))
            #expect(begin(opcode, at: TestUnit.sectorCount, count: 0).isOutOfRange)
        }
    }

    /// The owner is given both, to tell the right one.
    @Test func whatIsWrongWithTheLengthIsToldBehindTheRange() throws {
        let sectors = SectorRange(start: 9, count: 8)
        for (opcode, byte) in [(0x41, 7), (0x93, 10)] as [(UInt8, UInt16)] {
            func decode(_ count: UInt32, _ expectedDataOut: Int) -> CommandDisposition {
                TestUnit.decoder().decode(CDB(block: opcode, at: 9, count: count), expectedDataOut: expectedDataOut)
            }
            #expect(decode(8, 1024).failsBehindRange(sectors, 0x0E03))
            #expect(decode(0, 512).failsBehindRange(SectorRange(start: 9, count: 0), 0x2400, byte: byte))
            let command = try #require(decode(8, 512).parameterData)
            let short = [UInt8](repeating: 1, count: 511)
            let finished = unsafe TestUnit.decoder().finish(command, dataOut: short.span.bytes)
            #expect(finished.failsBehindRange(sectors, 0x0E03))
        }
    }

    /// Zeros are unmapped at once and anything else is written in pieces, so that there is nothing to limit.
    @Test func anyLengthIsWritten() throws {
        let decoder = TestUnit.decoder { $0.sectorCount = TestUnit.largestSectorCount }
        let sectors = SectorRange(start: 5, count: .max)
        let cdb = CDB(block: 0x93, at: 5, count: .max)
        let command = try #require(decoder.begin(cdb, expectedDataOut: 512).parameterData)
        #expect(decoder.finish(command, Self.zeros).unmapRanges == [sectors])
        let pattern = [UInt8](repeating: 7, count: 512)
        #expect(decoder.finish(command, pattern).operation == MediumOperation(kind: .writeSame, sectors: sectors))
        #expect(begin(0x41, count: 65535).parameterData != nil && begin(0x93, count: 65536).parameterData != nil)
        for opcode in Self.opcodes {
            #expect(begin(opcode, at: TestUnit.sectorCount - 32768, count: 32769, expectedDataOut: 7).isOutOfRange)
        }
    }

    /// Of larger blocks as many as sectors can be counted, and not fewer at the start of the range.
    @Test func aRangeThatCannotBeCountedIsRefused() {
        let decoder = TestUnit.decoder(.fourKibibytes) { $0.sectorCount = TestUnit.largestSectorCount }
        let most = decoder.begin(CDB(block: 0x93, flags: Self.unmap, at: 3, count: 0x1FFF_FFFF))
        #expect(most.unmapRanges == [SectorRange(start: 24, count: 0xFFFF_FFF8)])
        for count in [0x2000_0000, .max] as [UInt32] {
            #expect(decoder.begin(CDB(block: 0x93, flags: Self.unmap, at: 3, count: count)).isInvalidField(byte: 10))
        }
        let late = CDB(block: 0x93, flags: Self.unmap, at: decoder.unit.blockCount - 1, count: .max)
        #expect(decoder.begin(late).isOutOfRange)
    }
}
