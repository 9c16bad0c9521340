// SPDX-License-Identifier: Apache-2.0
package import Platform
package import Wire

/// Why the bucket did not do what was asked. Callers act on `disposition`, never on text.
package enum ObjectStoreError: Error, Equatable, Sendable {
    /// 412: what is there is not what the condition names (or something is there that must not be).
    case preconditionFailed(ObjectKey)
    /// 409: another conditional write of this object was being decided; nothing happened.
    case conflict(ObjectKey)
    case notFound(ObjectKey)
    /// The write may or may not have happened, or may happen later.
    case ambiguous(ObjectKey, Cause)
    /// Nothing happened; the same call may work later.
    case unavailable(Cause)
    /// What came back is not what was stored.
    case corrupt(ObjectKey, Damage)
    /// Trying again will not help until somebody changes something.
    case refused(Refusal)
    case invalidKey(String, KeyFault)

    /// What went wrong on the way to the bucket.
    package enum Cause: Equatable, Sendable {
        case system(SystemError)
        case outOfSpace(SystemError)
        case timedOut(afterMilliseconds: UInt64)
        /// The connection ended before the answer came.
        case replyLost
        /// The store asked for fewer requests (429, 503), perhaps for none at all for some time.
        case overloaded(retryAfter: Duration? = nil)
        /// No connection to the store.
        case unreachable(String)
        /// The store took the request and did not answer in time.
        case noAnswer(String)
        /// The store says that something is wrong with itself, or with what reached it.
        case serverFailed(status: Int, code: String)
    }

    package enum Damage: Equatable, Sendable {
        case short(expected: UInt64, found: UInt64)
        case unreadable(SystemError)
        case checksum
        /// The store sent other bytes than those asked for, by its own account.
        case otherRange(String)
        case noEntityTag
        case noLength
    }

    package enum Refusal: Equatable, Sendable {
        case unsupportedURL(String, URLFault)
        case bucketMissing(String)
        case noSuchBucket
        case notADirectory(String)
        case noPermission(SystemError)
        /// The file system cannot do what the store rests on (hard links, one file system per bucket).
        case unsuitableFileSystem(SystemError)
        case readOnlyAccess
        case newerFormat(found: Int, supported: Int)
        case unreadableFormat(ObjectKey)
        case unreliable([ConsistencyProbe.Finding])
        case noCredentials
        case badCredentialsFile(String, reason: String)
        case badAuthorityFile(String, reason: String)
        case denied(code: String, message: String)
        case elsewhere(region: String?)
        /// Without a word about the region.
        case redirected(status: Int, location: String?)
        case clockSkew
        case untrustedServer(String, CertificateFault)
        case notImplemented(feature: String)
        case answered(status: Int, code: String, message: String)
    }

    package enum CertificateFault: Equatable, Sendable {
        /// Nobody who is trusted vouches for it now: TLS does not say whether it never was so or is not so any more.
        case notVouchedFor
        case otherHost
    }

    package enum URLFault: Error, Equatable, Sendable {
        case noScheme
        case unknownScheme(String)
        case hostInFileURL(String)
        case relativePath
        case badEscape
        case badPrefix(KeyFault)
        case badBucketName(String)
        case keyInS3URL(String)
        case badEndpoint(String)
    }

    package enum KeyFault: Equatable, Sendable {
        case empty
        case tooLong
        case emptyComponent
        case dotComponent
        case badCharacter
        case reservedName
        /// A directory cannot hold both `a` and `a/b`.
        case bothObjectAndFolder
    }

    package enum Disposition: Sendable, Equatable {
        /// A fact about the bucket that the caller has to decide upon.
        case answer
        case retry
        /// Find out what happened before anything else is written.
        case resolve
        case failMedium
        /// Tell a person.
        case refuse
    }

    package var disposition: Disposition {
        switch self {  // No default: a new case has to choose.
        case .preconditionFailed, .notFound: .answer
        case .conflict, .unavailable: .retry
        case .ambiguous: .resolve
        case .corrupt: .failMedium
        case .refused, .invalidKey: .refuse
        }
    }
}
