// SPDX-License-Identifier: Apache-2.0
package import ObjectStorage

extension S3Settings.Addressing: ConfigurationChoice {}

/// The endpoint of an S3 store, or none: AWS.
package struct BucketEndpoint: Equatable, Sendable, ConfigurationValue {
    package var endpoint: S3Endpoint?
    package init(_ endpoint: S3Endpoint? = nil) { self.endpoint = endpoint }

    package static var kindName: String { "URL" }
    package static func parse(_ text: String, relativeTo baseDirectory: String) throws(ValueRefusal) -> BucketEndpoint {
        if text.isEmpty { return BucketEndpoint() }
        do { return BucketEndpoint(try S3Endpoint(text)) } catch { throw ValueRefusal(error.description) }
    }
    package var configurationText: String { endpoint?.description ?? "" }
}

extension GatewayConfiguration {
    /// How an `s3://` bucket is reached.
    package var s3Settings: S3Settings {
        S3Settings(
            endpoint: bucketEndpoint.endpoint, region: bucketRegion, addressing: bucketAddressing,
            credentialsFile: bucketCredentialsFile.path, credentialsProfile: bucketCredentialsProfile,
            authorityFile: bucketAuthorityFile.path)
    }
}
