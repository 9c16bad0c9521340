// SPDX-License-Identifier: Apache-2.0
import Glibc
import ObjectStorage
import Platform
import Testing
import Wire

/// What an errno means at each step of a call: the one question is whether anything may have happened.
struct ObjectStoreErrorSystemTests {
    private let key = ObjectKey("a/b")

    private func error(_ number: Int32, _ call: String = "write") -> SystemError {
        SystemError(errorNumber: number, call: call, path: "a/b")
    }

    @Test(arguments: [ENOSPC, EDQUOT])
    func aFullDiskBeforeTheNameIsGivenChangedNothing(_ number: Int32) {
        let failure = ObjectStoreError(staging: key, error(number), bucket: "/bucket")
        #expect(failure == .unavailable(.outOfSpace(error(number))))
        #expect(failure.disposition == .retry)
        #expect(failure.description.contains("no space left in the bucket"))
        let installing = ObjectStoreError(installing: key, error(number, "link"))
        #expect(installing == .unavailable(.outOfSpace(error(number, "link"))))
    }

    @Test func aFailingDiskLeavesTheOutcomeOpenOnlyOnceTheNameIsGiven() {
        #expect(ObjectStoreError(staging: key, error(EIO), bucket: "/b") == .unavailable(.system(error(EIO))))
        let installing = ObjectStoreError(installing: key, error(EIO, "rename"))
        #expect(installing == .ambiguous(key, .system(error(EIO, "rename"))))
        #expect(installing.disposition == .resolve)
    }

    @Test(arguments: [EIO, EUCLEAN, EBADMSG])
    func whatCannotBeReadIsDamagedAndNotMissing(_ number: Int32) {
        let failure = ObjectStoreError(reading: key, error(number, "read"))
        #expect(failure == .corrupt(key, .unreadable(error(number, "read"))))
        #expect(failure.disposition == .failMedium)
    }

    @Test(arguments: [ENOENT, ENOTDIR, ELOOP])
    func onlyAMissingNameIsNotFound(_ number: Int32) {
        #expect(ObjectStoreError(reading: key, error(number, "open")) == .notFound(key))
    }

    @Test(arguments: [EMFILE, ENFILE, ENOMEM, ESTALE, ETIMEDOUT])
    func passingTroubleIsNeverTakenForAMissingObject(_ number: Int32) {
        #expect(ObjectStoreError(reading: key, error(number, "open")) == .unavailable(.system(error(number, "open"))))
    }

    @Test(arguments: [EACCES, EPERM, EROFS])
    func missingPermissionIsForAPerson(_ number: Int32) {
        let failures = [
            ObjectStoreError(opening: "/b", error(number)), ObjectStoreError(reading: key, error(number)),
            ObjectStoreError(listing: "a", error(number)),
            ObjectStoreError(staging: key, error(number), bucket: "/b"),
            ObjectStoreError(installing: key, error(number)),
            ObjectStoreError(locking: error(number), timeout: .seconds(1)),
        ]
        for failure in failures { #expect(failure == .refused(.noPermission(error(number)))) }
    }

    @Test func aFileSystemWithoutHardLinksIsNamedAsSuch() {
        for number in [EPERM, EXDEV, EMLINK, ENOTSUP] {
            let failure = ObjectStoreError(installing: key, error(number, "link"))
            #expect(failure == .refused(.unsuitableFileSystem(error(number, "link"))))
        }
        #expect(
            ObjectStoreError(locking: error(ENOLCK, "flock"), timeout: .seconds(1))
                == .refused(.unsuitableFileSystem(error(ENOLCK, "flock"))))
    }
}
