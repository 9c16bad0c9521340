// SPDX-License-Identifier: Apache-2.0
package import ObjectStorage

extension BucketSettings {
    /// Opens the bucket, whichever kind it is. A directory must exist; an S3 bucket is first asked when it is used.
    ///
    /// - Parameter environment: where credentials of S3 may stand.
    package func open(
        _ access: BucketAccess = .readWrite, environment: [String: String]
    ) throws(ObjectStoreError) -> any ObjectStore {
        switch url.place {
        case .directory(let path): try DirectoryObjectStore(directory: path, prefix: url.prefix, access: access)
        case .s3(let bucket):
            try S3ObjectStore(
                bucket: bucket, prefix: url.prefix, settings: s3, access: access,
                credentials: CredentialsSource(settings: s3, environment: environment))
        }
    }
}
