// SPDX-License-Identifier: Apache-2.0
import SCSI
import Testing

@Suite struct LogicalUnitNumberTests {
    @Test func readsPeripheralAndFlatNumbers() {
        let known: [(UInt64, UInt16)] = [
            (0, 0), (0x0005_0000_0000_0000, 5), (0x00FF_0000_0000_0000, 255),
            (0x4000_0000_0000_0000, 0), (0x4101_0000_0000_0000, 257), (0x7FFF_0000_0000_0000, 0x3FFF),
        ]
        for (rawValue, index) in known { #expect(LogicalUnitNumber(rawValue: rawValue).index == index) }
    }

    @Test func refusesEverythingElse() {
        let strange: [UInt64] = [
            1, 0x0000_0000_0000_0100, 0x0000_0001_0000_0000, 0x0100_0000_0000_0000, 0x3F00_0000_0000_0000,
            0x8000_0000_0000_0000, 0xC101_0000_0000_0000, 0x4000_0001_0000_0000, .max,
        ]
        for rawValue in strange { #expect(LogicalUnitNumber(rawValue: rawValue).index == nil) }
    }
}
