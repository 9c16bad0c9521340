// SPDX-License-Identifier: Apache-2.0
import SCSI
import TestSupport
import Testing
import Wire

@Suite struct ModeSenseTests {
    private static let pages: [UInt8] = [0x02, 0x08, 0x0A, 0x1C]

    @Test func repliesHaveTheirGoldenBytes() throws {
        let small = TestUnit.make()
        let large = TestUnit.make { $0.sectorCount = TestUnit.largestSectorCount }
        let coarse = TestUnit.make(.fourKibibytes)
        let largeAndCoarse = TestUnit.make(.fourKibibytes) { $0.sectorCount = TestUnit.largestSectorCount }
        let protected = TestUnit.make {
            $0.isReadOnly = true
            $0.isWriteCacheEnabled = false
        }
        let replies: [(String, LogicalUnit, [UInt8])] = [
            ("mode-sense-6-all", small, [0x1A, 0, 0x3F, 0, 255, 0]),
            ("mode-sense-6-all-with-subpages", small, [0x1A, 0, 0x3F, 0xFF, 255, 0]),
            ("mode-sense-6-all", small, [0x1A, 0, 0xBF, 0, 255, 0]),
            ("mode-sense-6-changeable", small, [0x1A, 0, 0x7F, 0, 255, 0]),
            ("mode-sense-6-caching-write-through-read-only", protected, [0x1A, 8, 0x08, 0, 255, 0]),
            ("mode-sense-6-control-large", large, [0x1A, 0, 0x0A, 0, 255, 0]),
            ("mode-sense-10-control", small, [0x5A, 0, 0x0A, 0, 0, 0, 0, 2, 0, 0]),
            ("mode-sense-10-control-long-addresses-large", large, [0x5A, 0x10, 0x0A, 0, 0, 0, 0, 2, 0, 0]),
            ("mode-sense-6-control-4096", coarse, [0x1A, 0, 0x0A, 0, 255, 0]),
            (
                "mode-sense-10-control-long-addresses-4096", largeAndCoarse,
                [0x5A, 0x10, 0x0A, 0, 0, 0, 0, 2, 0, 0]
            ),
        ]
        for (name, unit, cdb) in replies {
            #expect(try unit.report(cdb).dataIn == Golden.bytes("scsi/v1/\(name)"), "\(name)")
        }
    }

    @Test func aPageIsTheSameAloneAndAmongAll() throws {
        let unit = TestUnit.make()
        for control in [0x00, 0x40, 0x80] as [UInt8] {
            var alone: [UInt8] = []
            for page in Self.pages {
                alone += unit.report([0x1A, 8, control | page, 0, 255, 0]).dataIn[4...]
            }
            let all = unit.report([0x1A, 8, control | 0x3F, 0, 255, 0]).dataIn
            #expect(Array(all[4...]) == alone && Int(all[0]) == all.count - 1)
        }
    }

    @Test func blockDescriptorsAreLeftOutWhenDisabled() throws {
        let unit = TestUnit.make()
        let long = unit.report([0x5A, 0x18, 0x0A, 0, 0, 0, 0, 2, 0, 0]).dataIn
        #expect(Array(long[..<8]) == [0, 18, 0, 0x10, 0, 0, 0, 0] && long.count == 20)
    }

    @Test func savedPagesAreNotSupported() {
        for page in Self.pages + [0x3F, 0x01] {
            #expect(TestUnit.make().report([0x1A, 0, 0xC0 | page, 0, 255, 0]).fails(.illegalRequest, 0x3900))
            let long = TestUnit.make().report([0x5A, 0, 0xC0 | page, 0, 0, 0, 0, 0, 255, 0])
            #expect(long.fails(.illegalRequest, 0x3900))
        }
    }

    @Test func unknownPagesAndSubpagesAreRefused() {
        for page in UInt8(0)..<0x3F where !Self.pages.contains(page) {
            #expect(TestUnit.make().report([0x1A, 0, page, 0, 255, 0]).isInvalidField(byte: 2))
        }
        for page in Self.pages + [0x3F] {
            for subpage in UInt8(1)..<0xFF where page != 0x1C || subpage != 0x02 {
                #expect(TestUnit.make().report([0x1A, 0, page, subpage, 255, 0]).isInvalidField(byte: 3))
            }
        }
    }

    @Test func subpagesAreThereOnlyWhenAskedFor() {
        let unit = TestUnit.make()
        func pages(_ page: UInt8, _ subpage: UInt8) -> [UInt8] {
            Array(unit.report([0x1A, 8, page, subpage, 255, 0]).dataIn.dropFirst(4))
        }
        #expect(pages(0x1C, 0).count == 12 && pages(0x1C, 2).count == 24)
        #expect(pages(0x1C, 0xFF) == pages(0x1C, 0) + pages(0x1C, 2))
        #expect(pages(0x0A, 0xFF) == pages(0x0A, 0))
        #expect(pages(0x3F, 0xFF) == pages(0x3F, 0) + pages(0x1C, 2))
    }

    @Test func softwareWriteProtectionShows() throws {
        let unit = TestUnit.make()
        let mode = ModeParameters(isSoftwareWriteProtected: true)
        let current = unit.report([0x1A, 8, 0x0A, 0, 255, 0], mode).dataIn
        #expect(try current == Golden.bytes("scsi/v1/mode-sense-6-control-software-write-protect"))
        // The default is off, whatever the current state; what can be changed is the bit either way.
        for (control, byte) in [(0x80, 0x00), (0x40, 0x08)] as [(UInt8, UInt8)] {
            #expect(unit.report([0x1A, 8, control | 0x0A, 0, 255, 0], mode).dataIn[8] == byte)
            #expect(unit.report([0x1A, 8, control | 0x0A, 0, 255, 0]).dataIn[8] == byte)
        }
    }

    @Test func aThresholdShowsInItsSets() throws {
        let unit = TestUnit.make()
        let mode = ModeParameters(softThresholdSectorCount: 10 << 21 + 2047)
        let current = unit.report([0x1A, 8, 0x1C, 2, 255, 0], mode).dataIn
        #expect(try current == Golden.bytes("scsi/v1/mode-sense-6-provisioning-threshold"))
        #expect(unit.report([0x1A, 8, 0x9C, 2, 255, 0], mode).dataIn == current)
        let changeable = unit.report([0x1A, 8, 0x5C, 2, 255, 0], mode).dataIn
        #expect(changeable.count == 28 && changeable[8...].allSatisfy { $0 == 0 })
        let huge = ModeParameters(softThresholdSectorCount: .max)
        #expect(Array(unit.report([0x1A, 8, 0x1C, 2, 255, 0], huge).dataIn.suffix(4)) == [255, 255, 255, 255])
    }
}
