// SPDX-License-Identifier: Apache-2.0
import SCSI
import TestSupport
import Testing
import Wire

@Suite struct InquiryTests {
    private func page(_ code: UInt8, of decoder: CommandDecoder = TestUnit.decoder()) -> [UInt8]? {
        decoder.begin([0x12, 1, code, 0, 255, 0]).dataIn
    }

    @Test func standardDataHasItsGoldenBytes() throws {
        let data = TestUnit.decoder().begin([0x12, 0, 0, 0x02, 0x00, 0]).dataIn
        #expect(try data == Golden.bytes("scsi/v1/inquiry-standard"))
    }

    @Test func pagesHaveTheirGoldenBytes() throws {
        for (code, name) in [
            (0x00, "00"), (0x80, "80"), (0x83, "83"), (0x86, "86"), (0x8F, "8f"), (0xB0, "b0"), (0xB1, "b1"),
            (0xB2, "b2"),
        ] as [(UInt8, String)] {
            #expect(try page(code) == Golden.bytes("scsi/v1/vpd-\(name)"), "page \(name)")
        }
    }

    /// The same limits in bytes, but for COMPARE AND WRITE.
    @Test func largerBlocksShowInTheirPages() throws {
        let coarse = TestUnit.decoder(.fourKibibytes)
        #expect(try page(0xB0, of: coarse) == Golden.bytes("scsi/v1/vpd-b0-4096"))
        #expect(try page(0xB2, of: coarse) == Golden.bytes("scsi/v1/vpd-b2-4096"))
        for code in [0x00, 0x80, 0x83, 0x86, 0x8F, 0xB1] as [UInt8] { #expect(page(code, of: coarse) == page(code)) }
    }

    @Test func exactlyTheListedPagesExist() throws {
        let listed = try #require(page(0))[4...]
        for code in UInt8.min...UInt8.max {
            let data = page(code)
            #expect((data != nil) == listed.contains(code))
            if let data {
                #expect(data[1] == code && Int(data[2]) << 8 + Int(data[3]) == data.count - 4)
            } else {
                #expect(TestUnit.decoder().begin([0x12, 1, code, 0, 255, 0]).isInvalidField(byte: 2))
            }
        }
        #expect(Array(listed) == listed.sorted())
    }

    @Test func aPageCodeWithoutEVPDIsRefused() {
        for code in UInt8(1)...255 {
            #expect(TestUnit.decoder().begin([0x12, 0, code, 0, 255, 0]).isInvalidField(byte: 2))
        }
    }

    @Test func commandSupportDataIsRefused() {
        for flags in [2, 3] as [UInt8] {
            #expect(TestUnit.decoder().begin([0x12, flags, 0, 0, 255, 0]).isInvalidField(byte: 1))
        }
    }

    @Test func identityIsPlainASCIIInFixedFields() throws {
        let decoder = TestUnit.decoder {
            $0.vendor = "A\u{7}Ⅷ and more"
            $0.product = ""
            $0.revision = "123456"
        }
        let data = try #require(decoder.begin([0x12, 0, 0, 0, 96, 0]).dataIn)
        #expect(data.count == 96)
        #expect(data[8..<36].allSatisfy { 0x20...0x7E ~= $0 })
        #expect(data[8] == UInt8(ascii: "A") && data[16..<32].allSatisfy { $0 == 0x20 })
        #expect(Array(data[32..<36]) == Array("1234".utf8))
    }

    @Test func sanitizingShowsInTheCharacteristics() throws {
        let decoder = TestUnit.decoder { $0.isSanitizeAllowed = true }
        #expect(try page(0xB1, of: decoder) == Golden.bytes("scsi/v1/vpd-b1-sanitize"))
    }

    @Test func aVolatileCacheShowsWhileThereIsOne() throws {
        let through = try #require(page(0x86, of: TestUnit.decoder { $0.isWriteCacheEnabled = false }))
        let back = try #require(page(0x86))
        #expect(through[6] == 0 && back[6] == 1)
        #expect(through[..<6] == back[..<6] && through[7...] == back[7...])
    }

    @Test func namesDependOnTheVolumeAndNothingElseOfTheUnit() throws {
        let usual = TestUnit.decoder()
        let changed = TestUnit.decoder {
            $0.sectorCount = 5
            $0.isReadOnly = true
            $0.readiness = .becomingReady
            $0.isSanitizeAllowed = true
            $0.isWriteCacheEnabled = false
        }
        let otherTarget = TestUnit.decoder { $0.targetName = "iqn.2026-11.org.example.sluice:other" }
        let otherVolume = TestUnit.decoder { $0.volume = VolumeID(rawValue: 5) }
        for code in [0x80, 0x83] as [UInt8] {
            #expect(page(code, of: usual) == page(code, of: changed))
            #expect(page(code, of: usual) != page(code, of: otherVolume))
        }
        let unitNames = 4..<(4 + 20 + 33)
        #expect(try #require(page(0x83, of: usual))[unitNames] == #require(page(0x83, of: otherTarget))[unitNames])
        #expect(page(0x83, of: usual) != page(0x83, of: otherTarget))
        let naa = 8..<24
        #expect(try #require(page(0x83, of: usual))[naa] != #require(page(0x83, of: otherVolume))[naa])
    }

    private func designators(targetName: String) throws -> [(header: [UInt8], name: [UInt8])] {
        let decoder = TestUnit.decoder { $0.targetName = targetName }
        let data = try #require(decoder.begin([0x12, 1, 0x83, 0x10, 0, 0]).dataIn)
        #expect(Int(data[2]) << 8 + Int(data[3]) == data.count - 4)
        var rest = data[4...]
        var designators: [(header: [UInt8], name: [UInt8])] = []
        while let length = rest.dropFirst(3).first {
            let header = Array(rest.prefix(3))
            let name = Array(rest.dropFirst(4).prefix(Int(length)))
            try #require(name.count == Int(length))
            designators.append((header, name))
            rest = rest.dropFirst(4 + Int(length))
        }
        return designators
    }

    @Test func portNamesAreEndedAndPaddedWhateverTheirLength() throws {
        for length in [1, 2, 3, 4, 5, 31, 223] {
            let name = try #require(designators(targetName: String(repeating: "n", count: length)).dropFirst(4).first)
            #expect(name.header == [0x53, 0x98, 0])
            #expect(name.name.count.isMultiple(of: 4) && name.name.last == 0)
            let text = String(decoding: name.name.prefix { $0 != 0 }, as: UTF8.self)
            #expect(text == String(repeating: "n", count: length) + ",t,0x0001")
        }
    }

    /// 255 bytes are what some initiators read, so the name that is not required makes room.
    @Test func theDevicesNameIsLeftOutOfALongPage() throws {
        for length in 1...223 {
            let designators = try designators(targetName: String(repeating: "n", count: length))
            let byteCount = 4 + designators.reduce(0) { $0 + 4 + $1.name.count }
            // 79 bytes of name make a page of 253; one more makes it 257.
            #expect((designators.last?.header == [0x53, 0xA8, 0]) == (length <= 79))
            #expect(designators.count == (length <= 79 ? 6 : 5) && (byteCount <= 255 || length > 79))
        }
    }

    @Test func aNameThatNoDesignatorHoldsIsLeftOut() throws {
        #expect(try designators(targetName: String(repeating: "n", count: 300)).count == 4)
    }
}
