// SPDX-License-Identifier: Apache-2.0
import SCSI
import TestSupport
import Testing

@Suite struct LogSenseTests {
    /// 5 GiB and 3 GiB, and a bit of each.
    private static let use = ProvisioningUse(
        availableSectorCount: 5 << 21 + 100, usedSectorCount: 3 << 21 + 100)

    private func ask(
        _ page: UInt8, _ subpage: UInt8 = 0, pointer: UInt16 = 0, flags: UInt8 = 0,
        use: ProvisioningUse = Self.use
    ) -> CommandResult {
        TestUnit.make().report(
            [0x4D, flags, page, subpage, 0] + pointer.bytes + [0x01, 0x00, 0], ModeParameters(), use)
    }

    @Test func pagesHaveTheirGoldenBytes() throws {
        #expect(try ask(0x00).dataIn == Golden.bytes("scsi/v1/log-supported-pages"))
        #expect(try ask(0x00, 0xFF).dataIn == Golden.bytes("scsi/v1/log-supported-pages-and-subpages"))
        #expect(try ask(0x0C).dataIn == Golden.bytes("scsi/v1/log-logical-block-provisioning"))
    }

    @Test func pageControlDoesNotMatter() {
        for control in [0x40, 0x80, 0xC0] as [UInt8] {
            #expect(ask(control | 0x0C) == ask(0x0C) && ask(control) == ask(0))
        }
    }

    @Test func exactlyTheListedPagesExist() {
        for page in UInt8(0)..<0x40 {
            for subpage in UInt8.min...UInt8.max {
                let result = ask(page, subpage)
                switch (page, subpage) {
                case (0, 0), (0, 0xFF), (0x0C, 0): #expect(result.status == .good)
                case (0, _), (0x0C, _): #expect(result.isInvalidField(byte: 3))
                default: #expect(result.isInvalidField(byte: 2))
                }
            }
        }
    }

    @Test func savingIsRefused() {
        #expect(ask(0x0C, flags: 1).isInvalidField(byte: 1))
    }

    @Test func parametersStartWhereAsked() {
        let whole = ask(0x0C).dataIn
        #expect(ask(0x0C, pointer: 1).dataIn == whole)
        #expect(ask(0x0C, pointer: 2).dataIn == [0x8C, 0, 0, 12] + whole[16...])
        for pointer in [3, 0x0100, 0xFFFF] as [UInt16] {
            #expect(ask(0x0C, pointer: pointer).isInvalidField(byte: 5))
        }
    }

    @Test func whatNothingLimitsHasNoCount() {
        let data = ask(0x0C, use: ProvisioningUse(availableSectorCount: nil, usedSectorCount: 2048)).dataIn
        #expect(data == [0x8C, 0, 0, 12, 0, 2, 3, 8, 0, 0, 0, 1, 1, 0, 0, 0])
    }

    /// Never more left, and never less used, than there is.
    @Test func countsAreRoundedToTheCarefulSide() {
        for (sectors, available, used) in [
            (0, 0, 0), (1, 0, 1), (2047, 0, 1), (2048, 1, 1), (2049, 1, 2), (.max, .max, .max),
        ] as [(UInt64, UInt32, UInt32)] {
            let data = ask(0x0C, use: ProvisioningUse(availableSectorCount: sectors, usedSectorCount: sectors)).dataIn
            #expect(Array(data[8..<12]) == available.bytes && Array(data[20..<24]) == used.bytes)
        }
    }
}
