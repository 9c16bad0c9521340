// SPDX-License-Identifier: Apache-2.0
import CacheManager
import Engine
import Foundation
import Platform
import ServiceKit
import Testing
import Wire

/// A directory with two journal directories in it, gone with the test.
private final class Journals {
    let path: String
    let directories: JournalDirectories
    let volume = VolumeID(rawValue: 0xabc)

    init() throws {
        path = NSTemporaryDirectory() + "sluice-journal-test-" + String(Randomness.uint64(), radix: 16)
        for name in ["/a", "/b"] { try Platform.FileSystem.createDirectory(path + name) }
        directories = JournalDirectories([path + "/a", path + "/b"])
        try directories.make(for: volume)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    func prepare(_ number: UInt32, reusing old: SegmentFiles.Segment? = nil, byteCount: Int = 8192) throws
        -> SegmentFiles.Segment
    {
        try SegmentFiles.prepare(
            path: directories.path(of: SegmentID(number), volume: volume), reusing: old, byteCount: byteCount)
    }
}

struct JournalDirectoriesTests {
    @Test func segmentsTakeTurnsOverTheDirectoriesAndAreFoundInAll() throws {
        let journals = try Journals()
        for number in 1...4 as ClosedRange<UInt32> { _ = try journals.prepare(number) }
        let found = try journals.directories.segments(of: journals.volume)
        #expect(found.keys.sorted() == (1...4).map { SegmentID($0) })
        #expect(found.values.filter { $0.hasPrefix(journals.path + "/a/") }.count == 2)
        #expect(found.values.filter { $0.hasPrefix(journals.path + "/b/") }.count == 2)
    }

    @Test func aNewSegmentHasItsFullSizeAndHoldsZeros() throws {
        let journals = try Journals()
        let segment = try journals.prepare(1, byteCount: 12_288)
        #expect(try segment.file.size() == 12_288)
        let bytes = try Platform.FileSystem.readFile(segment.path, limit: 1 << 20)
        #expect(bytes.allSatisfy { $0 == 0 })
    }

    @Test func aRecycledSegmentIsRenamedWhereItLies() throws {
        let journals = try Journals()
        let old = try journals.prepare(1)
        let new = try journals.prepare(2, reusing: old)
        #expect(Platform.FileSystem.parentDirectory(of: new.path) == Platform.FileSystem.parentDirectory(of: old.path))
        #expect(try journals.directories.segments(of: journals.volume).keys.map(\.self) == [SegmentID(2)])
        #expect(new.file.fileDescriptor == old.file.fileDescriptor)
    }

    @Test func aSegmentOfAnotherSizeIsNotRecycled() throws {
        let journals = try Journals()
        let old = try journals.prepare(1, byteCount: 8192)
        let new = try journals.prepare(2, reusing: old, byteCount: 16_384)
        #expect(try new.file.size() == 16_384)
        #expect(try journals.directories.segments(of: journals.volume).keys.map(\.self) == [SegmentID(2)])
    }

    @Test func unfinishedFilesAreRemovedAndForeignOnesIgnored() throws {
        let journals = try Journals()
        _ = try journals.prepare(1)
        let home = "\(journals.path)/a/\(journals.volume)/"
        for name in ["00000009.seg.new", "README", "9.seg", "0000000G.seg"] {
            try Platform.FileSystem.replaceFile(home + name, with: [1])
        }
        #expect(try journals.directories.segments(of: journals.volume).count == 1)
        #expect(!Platform.FileSystem.exists(home + "00000009.seg.new"))
        #expect(Platform.FileSystem.exists(home + "README"))
    }

    @Test func aSegmentThatExistsTwiceIsRefused() throws {
        let journals = try Journals()
        let segment = try journals.prepare(2)
        let copy = segment.path.replacingOccurrences(of: "/a/", with: "/b/")
        #expect(copy != segment.path)
        try Platform.FileSystem.replaceFile(copy, with: [1])
        let failure = #expect(throws: ServiceFailure.self) {
            _ = try journals.directories.segments(of: journals.volume)
        }
        #expect(failure?.message.contains("exists twice") == true)
    }

    @Test func removingAVolumeLeavesTheOthers() throws {
        let journals = try Journals()
        _ = try journals.prepare(1)
        let other = VolumeID(rawValue: 0xdef)
        try journals.directories.make(for: other)
        #expect(try journals.directories.strangers(known: [other]) == [journals.volume])
        try journals.directories.remove(journals.volume)
        #expect(try journals.directories.strangers(known: []) == [other])
    }
}
