// SPDX-License-Identifier: Apache-2.0
import NIOHTTP1
import ObjectStorage
import TestSupport
import Testing
import Wire

@testable import S3

/// What goes over the wire, and how answers are taken that differ from server to server.
struct S3WireTests {
    private static let key = ObjectKey("volumes/v/HEAD")

    private func settings(_ server: ScriptedServer) throws -> S3Settings {
        var settings = S3Settings()
        settings.endpoint = try S3Endpoint("http://localhost:\(server.port)")
        return settings
    }

    private func store(_ settings: S3Settings, environment: [String: String]) throws -> S3ObjectStore {
        try S3ObjectStore(
            bucket: "bucket", settings: settings,
            credentials: CredentialsSource(settings: settings, environment: environment))
    }

    private static func environment(token: String? = nil) -> [String: String] {
        var environment = ["AWS_ACCESS_KEY_ID": "ID", "AWS_SECRET_ACCESS_KEY": "SECRET"]
        environment["AWS_SESSION_TOKEN"] = token
        return environment
    }

    @Test func theBucketStandsInTheHostOrInThePath() async throws {
        let server = try ScriptedServer { _ in .init(headers: ["ETag": "t"]) }
        for addressing in [S3Settings.Addressing.virtualHost, .path] {
            var settings = try settings(server)
            settings.endpoint = try S3Endpoint("http://s3.test:\(server.port)")
            settings.addressing = addressing
            let address = S3Address(bucket: "bucket", prefix: "one", settings: settings)
            let client = try S3Client(
                address.endpoint, settings: settings,
                credentials: CredentialsSource(settings: settings, environment: Self.environment()),
                addresses: ["s3.test": "127.0.0.1", "bucket.s3.test": "127.0.0.1"])
            _ = try await client.send(S3Request(method: .GET, path: address.path(of: Self.key), key: Self.key))
            _ = try await client.send(S3Request(method: .GET, path: address.bucketRootPath, key: nil))
        }
        let asked = server.requests.map { "\($0.headers["host"].joined()) \($0.uri)" }
        #expect(
            asked == [
                "bucket.s3.test:\(server.port) /one/volumes/v/HEAD", "bucket.s3.test:\(server.port) /",
                "s3.test:\(server.port) /bucket/one/volumes/v/HEAD", "s3.test:\(server.port) /bucket",
            ])
    }

    @Test func aSessionTokenIsSentAndSigned() async throws {
        let server = try ScriptedServer { _ in .init(headers: ["ETag": "t"]) }
        let store = try store(settings(server), environment: Self.environment(token: "TOKEN"))
        _ = try await store.get(Self.key)
        let headers = try #require(server.requests.first).headers
        #expect(headers["x-amz-security-token"] == ["TOKEN"])
        let authorization = headers["authorization"].joined()
        let signed = authorization.split(separator: "SignedHeaders=").last?.prefix { $0 != "," } ?? ""
        #expect(signed.split(separator: ";").contains("x-amz-security-token"), "\(authorization)")
    }

    @Test func exchangedCredentialsAreReadWhenTheOldOnesAreRefused() async throws {
        let server = try ScriptedServer { head in
            if head.headers["authorization"].joined().contains("Credential=NEW/") {
                return .init(headers: ["ETag": "t"], body: "contents")
            }
            let body = "<Error><Code>ExpiredToken</Code><Message>too old</Message></Error>"
            return .init(status: .forbidden, body: body)
        }
        func keys(_ id: String) -> String { "[default]\naws_access_key_id=\(id)\naws_secret_access_key=S\n" }
        let directory = try TemporaryDirectory()
        var settings = try settings(server)
        settings.credentialsFile = try directory.file("credentials", keys("OLD"))
        let store = try store(settings, environment: [:])
        // As long as the file is as it was, asking again is of no use.
        let refused = await #expect(throws: ObjectStoreError.self) { try await store.get(Self.key) }
        #expect(refused == .refused(.denied(code: "ExpiredToken", message: "too old")))
        #expect(server.requests.count == 1)
        _ = try directory.file("credentials", keys("NEW"))
        #expect(try await store.get(Self.key).bytes == Array("contents".utf8))
        _ = try await store.get(Self.key)
        #expect(server.requests.count == 4)
    }

    /// Such as Ceph's RGW: the ETag comes without quotes, and a condition holds only without them.
    @Test func aServerOfBareTagsIsUnderstood() async throws {
        let server = try ScriptedServer { head in
            let condition = head.headers["if-match"].joined()
            let isMet = condition.isEmpty || condition == "tag-1"
            return .init(status: isMet ? .ok : .preconditionFailed, headers: ["ETag": "tag-1"])
        }
        let store = try store(settings(server), environment: Self.environment())
        let tag = try await store.put(Self.key, [1], .absent)
        #expect(tag == EntityTag("tag-1"))
        for _ in 0..<2 { #expect(try await store.put(Self.key, [2], .matches(tag)) == tag) }
        // The second time it is known.
        let conditions = server.requests.map { "\($0.method) \($0.headers["if-match"].joined())" }
        #expect(conditions == ["PUT ", "PUT \"tag-1\"", "HEAD ", "PUT tag-1", "PUT tag-1"])
        // Where the condition does not hold, the store says so in any spelling.
        let other = EntityTag("tag-0")
        await #expect(throws: ObjectStoreError.preconditionFailed(Self.key)) {
            try await store.put(Self.key, [3], .matches(other))
        }
    }
}
