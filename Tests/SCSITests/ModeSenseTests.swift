// SPDX-License-Identifier: Apache-2.0
import SCSI
import TestSupport
import Testing

@Suite struct ModeSenseTests {
    private static let pages: [UInt8] = [0x02, 0x08, 0x0A, 0x1C]

    @Test func repliesHaveTheirGoldenBytes() throws {
        let small = TestUnit.server()
        let large = TestUnit.server { $0.sectorCount = TestUnit.largestSectorCount }
        let protected = TestUnit.server {
            $0.isReadOnly = true
            $0.isWriteCacheEnabled = false
        }
        let replies: [(String, DeviceServer, [UInt8])] = [
            ("mode-sense-6-all", small, [0x1A, 0, 0x3F, 0, 255, 0]),
            ("mode-sense-6-all", small, [0x1A, 0, 0x3F, 0xFF, 255, 0]),
            ("mode-sense-6-all", small, [0x1A, 0, 0xBF, 0, 255, 0]),
            ("mode-sense-6-changeable", small, [0x1A, 0, 0x7F, 0, 255, 0]),
            ("mode-sense-6-caching-write-through-read-only", protected, [0x1A, 8, 0x08, 0, 255, 0]),
            ("mode-sense-6-control-large", large, [0x1A, 0, 0x0A, 0, 255, 0]),
            ("mode-sense-10-control", small, [0x5A, 0, 0x0A, 0, 0, 0, 0, 2, 0, 0]),
            ("mode-sense-10-control-long-addresses-large", large, [0x5A, 0x10, 0x0A, 0, 0, 0, 0, 2, 0, 0]),
        ]
        for (name, server, cdb) in replies {
            #expect(try server.begin(cdb).dataIn == Golden.bytes("scsi/v1/\(name)"), "\(name)")
        }
    }

    @Test func aPageIsTheSameAloneAndAmongAll() throws {
        let server = TestUnit.server()
        for control in [0x00, 0x40, 0x80] as [UInt8] {
            var alone: [UInt8] = []
            for page in Self.pages {
                alone += try #require(server.begin([0x1A, 8, control | page, 0, 255, 0]).dataIn)[4...]
            }
            let all = try #require(server.begin([0x1A, 8, control | 0x3F, 0, 255, 0]).dataIn)
            #expect(Array(all[4...]) == alone && Int(all[0]) == all.count - 1)
        }
    }

    @Test func blockDescriptorsAreLeftOutWhenDisabled() throws {
        let server = TestUnit.server()
        let long = try #require(server.begin([0x5A, 0x18, 0x0A, 0, 0, 0, 0, 2, 0, 0]).dataIn)
        #expect(Array(long[..<8]) == [0, 18, 0, 0x10, 0, 0, 0, 0] && long.count == 20)
    }

    @Test func savedPagesAreNotSupported() {
        for page in Self.pages + [0x3F, 0x01] {
            #expect(TestUnit.server().begin([0x1A, 0, 0xC0 | page, 0, 255, 0]).fails(.illegalRequest, 0x3900))
            let long = TestUnit.server().begin([0x5A, 0, 0xC0 | page, 0, 0, 0, 0, 0, 255, 0])
            #expect(long.fails(.illegalRequest, 0x3900))
        }
    }

    @Test func unknownPagesAndSubpagesAreRefused() {
        for page in UInt8(0)..<0x3F where !Self.pages.contains(page) {
            #expect(TestUnit.server().begin([0x1A, 0, page, 0, 255, 0]).isInvalidField(byte: 2))
        }
        for page in Self.pages + [0x3F] {
            for subpage in UInt8(1)..<0xFF {
                #expect(TestUnit.server().begin([0x1A, 0, page, subpage, 255, 0]).isInvalidField(byte: 3))
            }
        }
    }
}
