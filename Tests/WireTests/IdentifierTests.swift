// SPDX-License-Identifier: Apache-2.0
import Testing
import Wire

struct IdentifierTests {
    @Test func theTextFormIsThatOfAWS() {
        let id = VolumeID(rawValue: 0x0123_4567_89ab_cdef)
        #expect(id.description == "vol-00123456789abcdef")
        #expect(VolumeID(id.description) == id)
        #expect(SnapshotID(SnapshotID(rawValue: 1).description) == SnapshotID(rawValue: 1))
    }

    @Test(
        arguments: [
            "", "vol-", "vol-0123456789abcdef", "vol-10123456789abcdef", "vol-00123456789abcdef0",
            "snap-00123456789abcdef", "vol-0012345678 abcdef", "vol-00123456789abcdeg", " vol-00123456789abcdef",
        ])
    func otherTextIsNoId(_ text: String) {
        #expect(VolumeID(text) == nil)
    }

    @Test func rangesOverlapOnlyWhereTheyShareASector() {
        let range = SectorRange(start: 10, count: 5)
        #expect(range.overlaps(SectorRange(start: 14, count: 1)))
        #expect(range.overlaps(SectorRange(start: 0, count: 100)))
        #expect(!range.overlaps(SectorRange(start: 15, count: 5)))
        #expect(!range.overlaps(SectorRange(start: 5, count: 5)))
    }
}
