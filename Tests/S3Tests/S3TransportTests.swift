// SPDX-License-Identifier: Apache-2.0
import NIOHTTP1
import ObjectStorage
import S3
import Testing
import Wire

/// How a server is reached and trusted, and what is said where that fails.
struct S3TransportTests {
    private static let environment = ["AWS_ACCESS_KEY_ID": "ID", "AWS_SECRET_ACCESS_KEY": "SECRET"]

    private func store(_ endpoint: String, authority: String?) throws -> S3ObjectStore {
        var settings = S3Settings()
        settings.endpoint = try S3Endpoint(endpoint)
        settings.authorityFile = authority
        return try S3ObjectStore(
            bucket: "bucket", settings: settings,
            credentials: CredentialsSource(settings: settings, environment: Self.environment))
    }

    private func error(_ endpoint: String, authority: String? = nil) async throws -> ObjectStoreError? {
        let store = try store(endpoint, authority: authority)
        do throws(ObjectStoreError) {
            _ = try await store.get(ObjectKey("a"))
            return nil
        } catch { return error }
    }

    private func server(_ authority: ThrowawayAuthority, for names: String, days: Int = 2) throws -> ScriptedServer {
        try ScriptedServer(tls: authority.server(for: names, days: days)) { _ in
            .init(headers: ["ETag": "\"t\""], body: "contents")
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func anAuthorityOfOnesOwnIsTrustedWhenItIsNamed() async throws {
        let authority = try ThrowawayAuthority()
        let server = try server(authority, for: "DNS:localhost,IP:127.0.0.1")
        for host in ["localhost", "127.0.0.1"] {
            #expect(try await error("https://\(host):\(server.port)", authority: authority.file) == nil)
        }
        let error = try await error("https://localhost:\(server.port)")
        #expect(error == .refused(.untrustedServer("localhost:\(server.port)", .notVouchedFor)))
        #expect(error?.description.contains("set bucket.authority_file") == true)
    }

    @Test(.timeLimit(.minutes(1)))
    func bodiesAreHashedWhereNothingElseKeepsThem() async throws {
        let authority = try ThrowawayAuthority()
        let secure = try server(authority, for: "DNS:localhost")
        _ = try await store("https://localhost:\(secure.port)", authority: authority.file)
            .put(ObjectKey("a"), [1, 2, 3], .absent)
        let plain = try ScriptedServer { _ in .init(headers: ["ETag": "\"t\""]) }
        _ = try await store("http://localhost:\(plain.port)", authority: nil).put(ObjectKey("a"), [1, 2, 3], .absent)
        let hashes = (secure.requests + plain.requests).map { $0.headers.first(name: "x-amz-content-sha256") }
        #expect(
            hashes == [
                "UNSIGNED-PAYLOAD", "039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81",
            ])
    }

    @Test(.timeLimit(.minutes(1)))
    func anExpiredCertificateIsRefused() async throws {
        let authority = try ThrowawayAuthority()
        let server = try server(authority, for: "DNS:localhost", days: -1)
        let error = try await error("https://localhost:\(server.port)", authority: authority.file)
        #expect(error == .refused(.untrustedServer("localhost:\(server.port)", .notVouchedFor)))
        #expect(error?.description.contains("or has expired") == true)
    }

    @Test(.timeLimit(.minutes(1)))
    func aCertificateOfAnotherHostIsRefused() async throws {
        let authority = try ThrowawayAuthority()
        let server = try server(authority, for: "DNS:elsewhere.test")
        for host in ["localhost", "127.0.0.1"] {
            let error = try await error("https://\(host):\(server.port)", authority: authority.file)
            #expect(error == .refused(.untrustedServer("\(host):\(server.port)", .otherHost)))
            #expect(error?.description.contains("is for another host; set bucket.endpoint") == true)
        }
    }

    @Test(.timeLimit(.minutes(1)))
    func aServerWithoutTLSIsToldApart() async throws {
        let server = try ScriptedServer { _ in .init() }
        let error = try await error("https://localhost:\(server.port)")
        #expect(error?.disposition == .retry)
        #expect(error?.description.contains("write http:// in bucket.endpoint") == true, "\(error as Any)")
    }

    @Test(.timeLimit(.minutes(1)))
    func aHostThatNobodyKnowsIsNamed() async throws {
        let error = try await error("https://no-such-host.invalid")
        #expect(error?.disposition == .retry)
        let text = error?.description ?? ""
        #expect(text.contains("no address is known for the host of no-such-host.invalid:443"), "\(text)")
        #expect(text.contains("correct bucket.endpoint"))
    }
}
