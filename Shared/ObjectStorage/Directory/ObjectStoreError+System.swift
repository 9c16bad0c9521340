// SPDX-License-Identifier: Apache-2.0
import Glibc
package import Platform
package import Wire

/// What an errno means depends on what had happened before it: each step of a call has its own translation.
extension ObjectStoreError {
    /// Opening the bucket's directory.
    package init(opening directory: String, _ error: SystemError) {
        switch error.errorNumber {
        case ENOENT: self = .refused(.bucketMissing(directory))
        case ENOTDIR: self = .refused(.notADirectory(directory))
        case let number where Self.isPermission(number): self = .refused(.noPermission(error))
        default: self = .unavailable(Self.cause(error))
        }
    }

    package init(reading key: ObjectKey, _ error: SystemError) {
        switch error.errorNumber {
        // ENOTDIR: a part of the key is an object; ELOOP: a symbolic link, which is never ours.
        case ENOENT, ENOTDIR, ELOOP: self = .notFound(key)
        case let number where Self.isPermission(number): self = .refused(.noPermission(error))
        // The disk cannot give back what it took.
        case EIO, EUCLEAN, EBADMSG: self = .corrupt(key, .unreadable(error))
        default: self = .unavailable(.system(error))
        }
    }

    package init(listing prefix: String, _ error: SystemError) {
        self = Self.isPermission(error.errorNumber) ? .refused(.noPermission(error)) : .unavailable(.system(error))
    }

    /// The object's name is not touched yet: whatever went wrong, nothing happened.
    package init(staging key: ObjectKey, _ error: SystemError, bucket: String) {
        switch error.errorNumber {
        case ENOENT: self = .refused(.bucketMissing(bucket))
        case ENOTDIR: self = .invalidKey(key.name, .bothObjectAndFolder)
        case let number where Self.isPermission(number): self = .refused(.noPermission(error))
        default: self = .unavailable(Self.cause(error))
        }
    }

    /// link, rename or unlink failed.
    package init(installing key: ObjectKey, _ error: SystemError) {
        switch error.errorNumber {
        case EISDIR, ENOTDIR: self = .invalidKey(key.name, .bothObjectAndFolder)
        // linkat(2) gives EPERM where the file system has no hard links.
        case EPERM where error.call == "link", EXDEV, EMLINK, ENOTSUP:
            self = .refused(.unsuitableFileSystem(error))
        case let number where Self.isPermission(number): self = .refused(.noPermission(error))
        case ENOSPC, EDQUOT, ENOMEM, ENOENT: self = .unavailable(Self.cause(error))
        // A network file system may have done it and lost the answer; so may a failing disk.
        default: self = .ambiguous(key, .system(error))
        }
    }

    package init(locking error: SystemError, timeout: Duration) {
        switch error.errorNumber {
        case EWOULDBLOCK:
            let (seconds, attoseconds) = timeout.components
            let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
            self = .unavailable(.timedOut(afterMilliseconds: UInt64(max(0, milliseconds))))
        case ENOLCK, ENOTSUP: self = .refused(.unsuitableFileSystem(error))
        case let number where Self.isPermission(number): self = .refused(.noPermission(error))
        default: self = .unavailable(Self.cause(error))
        }
    }

    private static func isPermission(_ number: Int32) -> Bool { [EACCES, EPERM, EROFS].contains(number) }

    private static func cause(_ error: SystemError) -> Cause {
        error.isOutOfSpace ? .outOfSpace(error) : .system(error)
    }
}
