// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import ObjectStorage
import S3
import ServiceKit

/// A bucket on the command line, for what needs no gateway.
struct BucketOptions: ParsableArguments {
    @Option(name: .long, help: "The bucket: s3://name, or file:///path of a directory.") var bucket: String
    @Option(name: .long, help: "Where in the bucket the gateway's objects start (bucket.prefix).") var prefix = ""
    @Option(name: .long, help: "The S3 store, such as https://s3.example.org:9000 (default: AWS).")
    var endpoint: BucketEndpoint?
    @Option(name: .long, help: "The region of an S3 bucket.") var region = S3Settings.defaultRegion
    @Option(name: .long, help: "Where an S3 bucket's name stands: automatic, path or virtual-host.")
    var addressing = S3Settings.Addressing.automatic
    @Option(
        name: .long,
        help: "Access key as the AWS tools keep it (default: AWS_ACCESS_KEY_ID and so on in the environment).")
    var credentialsFile: FilePath?
    @Option(name: .long, help: "Section of the credentials file.") var profile = S3Settings.defaultProfile
    @Option(name: .long, help: "PEM certificates of further authorities that may vouch for the store.")
    var authorityFile: FilePath?

    /// Longer than a request that hangs takes to be given up, short enough for somebody who mistyped the endpoint.
    private static let patience = RetryPolicy(firstPause: .milliseconds(100), deadline: .seconds(30))

    func open(_ access: BucketAccess) throws -> any ObjectStore {
        let settings = S3Settings(
            endpoint: endpoint?.endpoint, region: region, addressing: addressing,
            credentialsFile: credentialsFile?.path, credentialsProfile: profile, authorityFile: authorityFile?.path)
        let store = try BucketSettings(url: try BucketURL(bucket, prefix: prefix), s3: settings)
            .open(access, environment: ProcessEnvironment.current)
        return PatientReads(store, policy: Self.patience)
    }
}

extension BucketEndpoint: ExpressibleByArgument {
    package init?(argument: String) {
        guard let endpoint = try? Self.parse(argument, relativeTo: "/") else { return nil }
        self = endpoint
    }
}

extension FilePath: ExpressibleByArgument {
    package init?(argument: String) {
        guard let path = try? FilePath.parse(argument, relativeTo: ProcessEnvironment.workingDirectory) else {
            return nil
        }
        self = path
    }
}

extension S3Settings.Addressing: ExpressibleByArgument {}
