// SPDX-License-Identifier: Apache-2.0
package import Messages
import ServiceKit
import Wire

/// The rules that a volume must meet to exist in this gateway, each refusal with what to do instead.
package struct VolumeAdmission: Sendable {
    /// What is reserved already.
    package struct Existing: Sendable, Equatable {
        package var name: String
        package var uploadBufferByteCount: UInt64
        package init(name: String, uploadBufferByteCount: UInt64) {
            self.name = name
            self.uploadBufferByteCount = uploadBufferByteCount
        }
    }

    /// Journal space of all volumes together (`journal.size`).
    package var journalByteCount: UInt64
    /// Largest and default upload buffer of a volume that asks for none.
    package var defaultBufferByteCount: UInt64
    /// A volume needs this many segments for its journal to turn over.
    package var smallestBufferByteCount: UInt64
    /// Prefix of target names, `iqn.…`.
    package var targetPrefix: String

    package init(
        journalByteCount: UInt64, defaultBufferByteCount: UInt64, smallestBufferByteCount: UInt64, targetPrefix: String
    ) {
        self.journalByteCount = journalByteCount
        self.defaultBufferByteCount = defaultBufferByteCount
        self.smallestBufferByteCount = smallestBufferByteCount
        self.targetPrefix = targetPrefix
    }

    package func targetName(_ volumeName: String) -> String { targetPrefix + ":" + volumeName }

    package func checkName(_ name: String, among existing: [Existing]) throws(BusFault) {
        guard Self.isName(name) else {
            throw BusFault(
                .invalidArgument,
                "volume name \"\(name)\" is not allowed: use 1 to 63 of a-z, 0-9, '.' and '-', "
                    + "starting with a letter or digit")
        }
        guard !existing.contains(where: { $0.name == name }) else {
            throw BusFault(
                .nameTaken, "the name \"\(name)\" is taken by another volume of this gateway; choose another")
        }
    }

    package func checkSize(_ byteCount: UInt64) throws(BusFault) {
        let gibibyte = UInt64(Geometry.gibibyte)
        let isInRange = (Geometry.smallestVolumeByteCount...Geometry.largestVolumeByteCount).contains(byteCount)
        guard isInRange, byteCount % gibibyte == 0 else {
            throw BusFault(
                .invalidArgument,
                "size not allowed: \(byteCount) bytes; a volume has a whole number of GiB, "
                    + "from 1 GiB to 65536 GiB (64 TiB)")
        }
    }

    package func checkSettings(compression: CompressionLevel, commitIntervalSeconds: UInt32) throws(BusFault) {
        guard compression.rawValue <= 9 else {
            throw BusFault(
                .invalidArgument, "compression level \(compression.rawValue) is not allowed: use 0 (none) to 9")
        }
        guard (2...300).contains(commitIntervalSeconds) else {
            throw BusFault(
                .invalidArgument, "commit interval \(commitIntervalSeconds) s is not allowed: use 2 to 300 seconds")
        }
    }

    /// Shorter ones would run out whenever the bucket is slow; longer ones are no fail-over.
    package func checkLease(milliseconds: UInt64) throws(BusFault) {
        guard (5_000...600_000).contains(milliseconds) else {
            throw BusFault(
                .invalidArgument, "a lease of \(milliseconds) ms is not allowed: use 5 seconds to 10 minutes")
        }
    }

    /// The journal space for a volume that wants `wanted` bytes (nil: the default), if that is possible at all.
    package func uploadBuffer(_ wanted: UInt64?) throws(BusFault) -> UInt64 {
        let byteCount = wanted ?? defaultBufferByteCount
        guard byteCount >= smallestBufferByteCount else {
            throw BusFault(
                .invalidArgument,
                "an upload buffer of \(Self.mebibytes(byteCount)) is too small: use at least "
                    + Self.mebibytes(smallestBufferByteCount))
        }
        guard byteCount <= journalByteCount else {
            throw BusFault(
                .invalidArgument,
                "an upload buffer of \(Self.mebibytes(byteCount)) is larger than journal.size "
                    + "(\(Self.mebibytes(journalByteCount))); choose a smaller one or raise journal.size")
        }
        return byteCount
    }

    /// The same, if it fits beside the others.
    package func uploadBuffer(_ wanted: UInt64?, among existing: [Existing]) throws(BusFault) -> UInt64 {
        let byteCount = try uploadBuffer(wanted)
        let used = existing.reduce(UInt64(0)) { $0 + $1.uploadBufferByteCount }
        let free = journalByteCount > used ? journalByteCount - used : 0
        guard byteCount <= free else {
            throw BusFault(
                .insufficientSpace,
                "the upload buffer needs \(Self.mebibytes(byteCount)), but of journal.size "
                    + "(\(Self.mebibytes(journalByteCount))) only \(Self.mebibytes(free)) are free "
                    + "(\(existing.count.counted("volume")) reserved \(Self.mebibytes(used))); "
                    + "raise journal.size, choose a smaller upload buffer or delete a volume")
        }
        return byteCount
    }

    package static func isName(_ name: String) -> Bool {
        let bytes = Array(name.utf8)
        guard (1...63).contains(bytes.count), let first = bytes.first else { return false }
        let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        let isAlphanumeric = { (byte: UInt8) in letters.contains(byte) || digits.contains(byte) }
        return isAlphanumeric(first)
            && bytes.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
    }

    private static func mebibytes(_ byteCount: UInt64) -> String { "\(byteCount >> 20) MiB" }
}
