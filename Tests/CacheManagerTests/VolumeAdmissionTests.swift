// SPDX-License-Identifier: Apache-2.0
import CacheManager
import Messages
import Testing
import Wire

struct VolumeAdmissionTests {
    private let admission = VolumeAdmission(
        journalByteCount: 10 << 30, defaultBufferByteCount: 4 << 30, smallestBufferByteCount: 256 << 20,
        targetPrefix: "iqn.2025-01.example:gw")
    private func volume(_ name: String, _ gibibytes: UInt64) -> VolumeAdmission.Existing {
        VolumeAdmission.Existing(name: name, uploadBufferByteCount: gibibytes << 30)
    }

    @Test(arguments: ["a", "db0", "0.disk-1", String(repeating: "x", count: 63)])
    func acceptsNames(_ name: String) throws { try admission.checkName(name, among: []) }

    @Test(arguments: ["", "-a", ".a", "A", "a_b", "a b", "ä", "a/b", String(repeating: "x", count: 64)])
    func refusesNames(_ name: String) {
        let fault = #expect(throws: BusFault.self) { try admission.checkName(name, among: []) }
        #expect(fault?.code == .invalidArgument)
    }

    @Test func refusesATakenName() {
        let fault = #expect(throws: BusFault.self) { try admission.checkName("db", among: [volume("db", 1)]) }
        #expect(fault?.code == .nameTaken)
        #expect(fault?.message.contains("db") == true)
    }

    @Test(arguments: [1, 2, 1023, 65_536] as [UInt64])
    func acceptsSizes(_ gibibytes: UInt64) throws { try admission.checkSize(gibibytes << 30) }

    @Test(arguments: [0, 512, 0x2000_0000, 0x4000_0001, 0x6000_0000, 0x4000_4000_0000, .max] as [UInt64])
    func refusesSizes(_ byteCount: UInt64) {
        let fault = #expect(throws: BusFault.self) { try admission.checkSize(byteCount) }
        #expect(fault?.code == .invalidArgument)
        #expect(fault?.message.contains("size not allowed") == true)
    }

    @Test func theBuffersOfAllVolumesFitTheJournal() throws {
        let existing = [volume("a", 4), volume("b", 4)]
        #expect(try admission.uploadBuffer(nil, among: []) == 4 << 30)
        #expect(try admission.uploadBuffer(2 << 30, among: existing) == 2 << 30)
        let fault = #expect(throws: BusFault.self) { try admission.uploadBuffer(nil, among: existing) }
        #expect(fault?.code == .insufficientSpace)
        #expect(fault?.message.contains("4096 MiB") == true)
        #expect(fault?.message.contains("2048 MiB") == true)
    }

    @Test func aTinyUploadBufferIsRefused() {
        let fault = #expect(throws: BusFault.self) { try admission.uploadBuffer(1 << 20, among: []) }
        #expect(fault?.code == .invalidArgument)
    }

    /// However many volumes are deleted: trying again later is no use.
    @Test func aBufferLargerThanTheJournalIsRefusedForGood() {
        let fault = #expect(throws: BusFault.self) { try admission.uploadBuffer(1 << 50, among: []) }
        #expect(fault?.code == .invalidArgument)
        #expect(fault?.message.contains("journal.size") == true)
    }

    @Test func settingsHaveLimits() throws {
        try admission.checkSettings(compression: .none, commitIntervalSeconds: 2)
        try admission.checkSettings(compression: CompressionLevel(rawValue: 9), commitIntervalSeconds: 300)
        #expect(throws: BusFault.self) {
            try admission.checkSettings(compression: CompressionLevel(rawValue: 10), commitIntervalSeconds: 10)
        }
        #expect(throws: BusFault.self) {
            try admission.checkSettings(compression: .standard, commitIntervalSeconds: 301)
        }
    }

    @Test func targetNamesAreThePrefixAndTheName() {
        #expect(admission.targetName("db") == "iqn.2025-01.example:gw:db")
    }
}
