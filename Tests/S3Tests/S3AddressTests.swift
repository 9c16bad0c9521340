// SPDX-License-Identifier: Apache-2.0
import ObjectStorage
import Testing
import Wire

@testable import S3

struct S3AddressTests {
    private func address(
        _ bucket: String, endpoint: String? = nil, addressing: S3Settings.Addressing = .automatic, prefix: String = ""
    ) throws -> S3Address {
        var settings = S3Settings()
        settings.endpoint = try endpoint.map { try S3Endpoint($0) }
        settings.region = "eu-central-1"
        settings.addressing = addressing
        return S3Address(bucket: bucket, prefix: prefix, settings: settings)
    }

    @Test func putsTheBucketIntoAWSsHostName() throws {
        let address = try address("data", prefix: "gateways/one")
        #expect(address.endpoint.description == "https://data.s3.eu-central-1.amazonaws.com")
        #expect(address.path(of: ObjectKey("volumes/x/HEAD")) == "/gateways/one/volumes/x/HEAD")
        #expect(address.bucketRootPath == "/")
    }

    @Test func putsABucketWithADotIntoThePath() throws {
        let address = try address("my.data")
        #expect(address.endpoint.description == "https://s3.eu-central-1.amazonaws.com")
        #expect(address.path(of: ObjectKey("a")) == "/my.data/a")
    }

    @Test func putsTheBucketIntoThePathOfAnEndpoint() throws {
        let address = try address("data", endpoint: "http://127.0.0.1:9000")
        #expect(address.endpoint.authority == "127.0.0.1:9000")
        #expect(address.path(of: ObjectKey("a/b")) == "/data/a/b")
        #expect(address.bucketRootPath == "/data")
    }

    @Test func doesWhatItIsTold() throws {
        let inHost = try address("data", endpoint: "http://store:9000", addressing: .virtualHost)
        #expect(inHost.endpoint.description == "http://data.store:9000")
        let inPath = try address("data", addressing: .path)
        #expect(inPath.endpoint.authority == "s3.eu-central-1.amazonaws.com")
        #expect(inPath.path(of: ObjectKey("a")) == "/data/a")
    }
}
