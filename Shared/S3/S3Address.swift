// SPDX-License-Identifier: Apache-2.0
import ObjectStorage
import Wire

/// Where a bucket's objects are on the wire.
struct S3Address: Equatable, Sendable {
    let endpoint: S3Endpoint
    /// Before each key: empty, or `/bucket`.
    private let bucketPath: String
    /// Before each key in the bucket: empty, or ends with `/`.
    let keyPrefix: String

    init(bucket: String, prefix: String, settings: S3Settings) {
        let server =
            settings.endpoint
            ?? S3Endpoint(isSecure: true, host: "s3.\(settings.region).amazonaws.com", port: nil)
        let isInHost =
            switch settings.addressing {
            case .path: false
            case .virtualHost: true
            // A dot would make the name a part of the domain, which AWS's certificate does not cover.
            case .automatic: settings.endpoint == nil && !bucket.contains(".")
            }
        endpoint =
            isInHost
            ? S3Endpoint(isSecure: server.isSecure, host: "\(bucket).\(server.host)", port: server.port) : server
        bucketPath = isInHost ? "" : "/" + bucket
        keyPrefix = prefix.isEmpty ? "" : prefix + "/"
    }

    /// Keys hold nothing that would have to be escaped (`ObjectKeyRules`).
    func path(of key: ObjectKey) -> String { "\(bucketPath)/\(keyPrefix)\(key)" }
    var bucketRootPath: String { bucketPath.isEmpty ? "/" : bucketPath }
}
