// SPDX-License-Identifier: Apache-2.0
import SCSI
import TestSupport
import Testing
import Wire

@Suite struct InquiryTests {
    private func page(_ code: UInt8, of server: DeviceServer = TestUnit.server()) -> [UInt8]? {
        server.begin([0x12, 1, code, 0, 255, 0]).dataIn
    }

    @Test func standardDataHasItsGoldenBytes() throws {
        let data = TestUnit.server().begin([0x12, 0, 0, 0x02, 0x00, 0]).dataIn
        #expect(try data == Golden.bytes("scsi/v1/inquiry-standard"))
    }

    @Test func pagesHaveTheirGoldenBytes() throws {
        for (code, name) in [(0x00, "00"), (0x80, "80"), (0x83, "83"), (0xB0, "b0"), (0xB1, "b1"), (0xB2, "b2")]
            as [(UInt8, String)]
        {
            #expect(try page(code) == Golden.bytes("scsi/v1/vpd-\(name)"), "page \(name)")
        }
    }

    @Test func exactlyTheListedPagesExist() throws {
        let listed = try #require(page(0))[4...]
        for code in UInt8.min...UInt8.max {
            let data = page(code)
            #expect((data != nil) == listed.contains(code))
            if let data {
                #expect(data[1] == code && Int(data[2]) << 8 + Int(data[3]) == data.count - 4)
            } else {
                #expect(TestUnit.server().begin([0x12, 1, code, 0, 255, 0]).isInvalidField(byte: 2))
            }
        }
        #expect(Array(listed) == listed.sorted())
    }

    @Test func aPageCodeWithoutEVPDIsRefused() {
        for code in UInt8(1)...255 {
            #expect(TestUnit.server().begin([0x12, 0, code, 0, 255, 0]).isInvalidField(byte: 2))
        }
    }

    @Test func commandSupportDataIsRefused() {
        for flags in [2, 3] as [UInt8] {
            #expect(TestUnit.server().begin([0x12, flags, 0, 0, 255, 0]).isInvalidField(byte: 1))
        }
    }

    @Test func identityIsPlainASCIIInFixedFields() throws {
        let server = TestUnit.server {
            $0.vendor = "A\u{7}Ⅷ and more"
            $0.product = ""
            $0.revision = "123456"
        }
        let data = try #require(server.begin([0x12, 0, 0, 0, 96, 0]).dataIn)
        #expect(data.count == 96)
        #expect(data[8..<36].allSatisfy { 0x20...0x7E ~= $0 })
        #expect(data[8] == UInt8(ascii: "A") && data[16..<32].allSatisfy { $0 == 0x20 })
        #expect(Array(data[32..<36]) == Array("1234".utf8))
    }

    @Test func namesDependOnTheVolumeAndNotOnThePath() throws {
        var unit = TestUnit.make()
        let first = DeviceServer(unit: unit)
        unit.portalGroupTag = 77
        unit.relativeTargetPort = 78
        unit.targetName = "iqn.2026-11.org.example.sluice:other"
        let otherPath = DeviceServer(unit: unit)
        unit.volume = VolumeID(rawValue: 5)
        let otherVolume = DeviceServer(unit: unit)
        let unitNames = 4..<(4 + 20 + 33)
        #expect(try #require(page(0x83, of: first))[unitNames] == #require(page(0x83, of: otherPath))[unitNames])
        #expect(page(0x83, of: first) != page(0x83, of: otherPath))
        #expect(page(0x80, of: first) == page(0x80, of: otherPath))
        #expect(page(0x80, of: first) != page(0x80, of: otherVolume))
        let naa = 8..<24
        #expect(try #require(page(0x83, of: first))[naa] != #require(page(0x83, of: otherVolume))[naa])
    }

    @Test func portNamesAreEndedAndPaddedWhateverTheirLength() throws {
        for length in [1, 2, 3, 4, 5, 31, 223] {
            let server = TestUnit.server { $0.targetName = String(repeating: "n", count: length) }
            let data = try #require(server.begin([0x12, 1, 0x83, 0x10, 0, 0]).dataIn)
            let designator = data[(4 + 20 + 33 + 8 + 8)...]
            let start = designator.startIndex
            #expect(Array(designator[start..<start + 3]) == [0x53, 0x98, 0])
            let name = designator[(start + 4)...]
            #expect(name.count == Int(designator[start + 3]) && name.count.isMultiple(of: 4) && name.last == 0)
            #expect(String(decoding: name.prefix { $0 != 0 }, as: UTF8.self).hasSuffix("n,t,0x000a"))
        }
    }

    @Test func aNameThatNoDesignatorHoldsIsLeftOut() throws {
        let server = TestUnit.server { $0.targetName = String(repeating: "n", count: 300) }
        let data = try #require(server.begin([0x12, 1, 0x83, 0x10, 0, 0]).dataIn)
        #expect(data.count == 4 + 20 + 33 + 8 + 8 && Int(data[3]) == data.count - 4)
    }
}
