// SPDX-License-Identifier: Apache-2.0
import Platform
import Wire

/// What people read: what is wrong and, where somebody can do something about it, what to do.
extension ObjectStoreError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .preconditionFailed(let key): "\(key): the object is not in the expected state"
        case .conflict(let key): "\(key): another write of this object was under way"
        case .notFound(let key): "\(key): no such object"
        case .ambiguous(let key, let cause): "\(key): the write may or may not have happened: \(cause)"
        case .unavailable(let cause): "the bucket did not answer: \(cause)"
        case .corrupt(let key, let damage): "\(key): \(damage)"
        case .refused(let refusal): refusal.description
        case .invalidKey(let name, let fault): "'\(name)' cannot name an object: \(fault)"
        }
    }
}

extension ObjectStoreError.Cause: CustomStringConvertible {
    package var description: String {
        switch self {
        case .system(let error): error.description
        case .outOfSpace(let error): "no space left in the bucket (\(error)); free some or enlarge it"
        case .timedOut(let milliseconds): "no answer within \(milliseconds) ms"
        case .replyLost: "the connection ended before the answer came"
        case .overloaded(nil): "the store asked for fewer requests"
        case .overloaded(let pause?): "the store asked for no requests for \(pause.components.seconds) s"
        case .unreachable(let reason): "no connection: \(reason)"
        case .noAnswer(let reason): "no answer in time: \(reason)"
        case .serverFailed(let status, let code): "the store failed with \(status) \(code)"
        }
    }
}

extension ObjectStoreError.Damage: CustomStringConvertible {
    package var description: String {
        switch self {
        case .short(let expected, let found): "only \(found) of \(expected) bytes came back"
        case .unreadable(let error): "cannot be read: \(error)"
        case .checksum: "what came back does not have the checksum that the store sent along"
        case .otherRange(let range): "the store sent another range than asked for: \(range)"
        case .noEntityTag: "the store sent no ETag"
        case .noLength: "the store sent no Content-Length"
        }
    }
}

extension ObjectStoreError.Refusal: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unsupportedURL(let text, let fault): "bucket '\(text)': \(fault)"
        case .bucketMissing(let path):
            "the bucket directory \(path) does not exist; create it, or mount the disk that holds it"
        case .noSuchBucket:
            "the bucket does not exist; create it, or correct bucket.url, bucket.endpoint or bucket.region"
        case .notADirectory(let path): "the bucket \(path) is not a directory"
        case .noPermission(let error):
            "no permission in the bucket: \(error); let the service's user read and write it"
        case .unsuitableFileSystem(let error):
            "the bucket's file system is not suitable: \(error); "
                + "use one file system with hard links, such as ext4 or XFS"
        case .readOnlyAccess: "the bucket was opened for reading only"
        case .newerFormat(let found, let supported):
            "the bucket has format \(found), this program knows formats up to \(supported); "
                + "use a newer version of Sluice"
        case .unreadableFormat(let key):
            "the bucket's format marker \(key) is damaged; restore it, or use another bucket or prefix"
        case .unreliable(let findings):
            "the store does not keep the promises that Sluice rests on: "
                + findings.map(\.description).joined(separator: "; ")
        case .noCredentials:
            "no credentials for the bucket: set bucket.credentials_file, or AWS_ACCESS_KEY_ID and "
                + "AWS_SECRET_ACCESS_KEY in the environment"
        case .badCredentialsFile(let path, let reason): "the credentials file \(path): \(reason)"
        case .badAuthorityFile(let path, let reason): "the certificates in \(path) cannot be used: \(reason)"
        case .denied(let code, let message):
            "the store denies access (\(code)\(message.isEmpty ? "" : ": " + message)); check the credentials and "
                + "what they are allowed to do in the bucket"
        case .elsewhere(let region):
            "the bucket is in another region\(region.map { ", \($0)" } ?? ""); set bucket.region"
        case .clockSkew: "this machine's clock differs from the store's by too much; set it, and keep it set by NTP"
        case .redirected(let status, let location):
            "the store sends requests for the bucket elsewhere (\(status)\(location.map { ", to \($0)" } ?? "")); "
                + "bucket.endpoint or bucket.region is wrong: name the server and the region that hold the bucket"
        case .untrustedServer(let server, .notVouchedFor):
            "the certificate of \(server) is not signed by an authority that this machine trusts, or has expired; "
                + "set bucket.authority_file to a file with the authority's certificate, or have it renewed"
        case .untrustedServer(let server, .otherHost):
            "the certificate of \(server) is for another host; set bucket.endpoint to a name that is in the "
                + "certificate, and bucket.addressing to path if only the bucket's name is too much in it"
        case .notImplemented(let feature):
            "the store does not implement \(feature), on which Sluice rests; use another store"
        case .answered(let status, let code, let message):
            "the store answered \(status) \(code)\(message.isEmpty ? "" : ": " + message)"
        }
    }
}

extension ObjectStoreError.URLFault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .noScheme: "not a URL; write s3://bucket or file:///absolute/directory"
        case .unknownScheme(let scheme):
            "\(scheme):// is not a kind of bucket; write s3://bucket or file:///absolute/directory"
        case .hostInFileURL(let host):
            "'\(host)' stands where a host would; write file:///absolute/directory with three slashes"
        case .relativePath: "the path must be absolute: file:///absolute/directory"
        case .badEscape: "a % must be followed by two hexadecimal digits and give UTF-8 text without NUL"
        case .badPrefix(let fault): "the prefix cannot be used: \(fault)"
        case .badBucketName(let name):
            "'\(name)' cannot name a bucket; 3 to 63 lower-case letters, digits, dots and hyphens can"
        case .keyInS3URL(let rest): "only the bucket's name is allowed; write '\(rest)' as the prefix"
        case .badEndpoint(let text): "'\(text)' is not an endpoint; write https://host or https://host:port"
        }
    }
}

extension ObjectStoreError.KeyFault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .empty: "it is empty"
        case .tooLong:
            "it is longer than \(ObjectKeyRules.keyByteCount) bytes,"
                + " or a part than \(ObjectKeyRules.componentByteCount)"
        case .emptyComponent: "it has an empty part"
        case .dotComponent: "'.' and '..' are not allowed"
        case .badCharacter: "only letters, digits, '.', '_' and '-' are allowed, in parts joined by '/'"
        case .reservedName: "'\(ObjectKeyRules.reservedName)' is reserved"
        case .bothObjectAndFolder: "a directory cannot hold an object and a folder of one name"
        }
    }
}

extension ConsistencyProbe.Finding: CustomStringConvertible {
    package var description: String {
        switch self {
        case .createsWon(let count, let all): "\(count) of \(all) concurrent creates of one object succeeded, not 1"
        case .replacementsWon(let count, let all):
            "\(count) of \(all) concurrent replacements of one version succeeded, not 1"
        case .createdOverExisting: "an existing object was created again (If-None-Match is ignored)"
        case .staleTagAccepted: "a replacement of an outdated version succeeded (If-Match is ignored)"
        case .missingObjectReplaced: "a replacement of a missing object succeeded"
        case .winnerNotStored: "the bytes of a refused write were stored"
        case .wrongRange: "a ranged read returned other bytes than asked for"
        case .shortRangeAccepted: "a ranged read beyond the object's end returned too few bytes without an error"
        case .oldVersionRead(let round): "a read after overwrite \(round) did not return what was written"
        case .deletedObjectRead: "a deleted object could still be read"
        case .notListed: "an existing object was missing from the listing"
        case .listedAgain: "a listing that was to go on after an object began before it (start-after is ignored)"
        }
    }
}
