// SPDX-License-Identifier: Apache-2.0
import ObjectStorage
import ObjectStoreConformance
import S3
import S3Servers
import Testing
import Wire

/// The S3 store against real servers. Those that keep their word must pass everything that a directory passes; the
/// others must be refused, with the reason.
@Suite(.serialized) struct S3StoreTests {
    private static let reliable: [S3ServerKind] = [.seaweedFS, .moto, .cephRGW].filter(\.isInstalled)
    private static let unreliable: [S3ServerKind] = [.rclone, .nanio, .juiceFS, .swift].filter(\.isInstalled)

    @Test func whatMustAlwaysBeTriedIsInstalled() {
        for kind in S3ServerKind.basic { #expect(kind.isInstalled, "\(kind): run `make setup-test`") }
    }

    @Test(.timeLimit(.minutes(5)), arguments: reliable)
    func aReliableServerPassesTheConformanceSuite(_ kind: S3ServerKind) async throws {
        let server = try S3Server.shared(kind)
        for behaviour in ConformanceBehaviour.all {
            do {
                try await behaviour.check(S3Fixture(server: server, prefix: server.freshPrefix()))
            } catch {
                Issue.record("\(kind) does not hold: \(behaviour): \(error)")
            }
        }
    }

    @Test(.timeLimit(.minutes(5)), arguments: unreliable)
    func anUnreliableServerIsRefusedWithTheReason(_ kind: S3ServerKind) async throws {
        let server = try S3Server.shared(kind)
        let store = try await S3Fixture(server: server, prefix: server.freshPrefix()).open()
        let error = await #expect(throws: ObjectStoreError.self) {
            try await ConsistencyProbe(store, time: 1, run: 2).check()
        }
        #expect(error?.disposition == .refuse)
        let text = error?.description ?? ""
        switch kind.conditionalWrites {
        case .ignored: #expect(text.contains("is ignored") || text.contains("concurrent creates"), "\(text)")
        case .refused: #expect(text.contains("does not implement conditional writes"), "\(text)")
        case .enforced: Issue.record("\(kind) is reliable")
        }
    }

    /// Both servers recompute every signature.
    @Test(.timeLimit(.minutes(2)), arguments: [S3ServerKind.seaweedFS, .moto])
    func aWrongSecretIsDenied(_ kind: S3ServerKind) async throws {
        let server = try S3Server.shared(kind)
        let fixture = S3Fixture(server: server, prefix: server.freshPrefix(), secretKey: "wrong")
        let store = try await fixture.open()
        let error = await #expect(throws: ObjectStoreError.self) {
            _ = try await store.put(ObjectKey("a"), [1], .none)
        }
        guard case .refused(.denied) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test(.timeLimit(.minutes(2)))
    func aMissingBucketIsNamedSo() async throws {
        let server = try S3Server.shared(.seaweedFS)
        let store = try S3Fixture(server: server, bucket: "nobodys-bucket", prefix: "").openStore()
        let error = await #expect(throws: ObjectStoreError.self) { _ = try await store.get(ObjectKey("a")) }
        #expect(error == .refused(.noSuchBucket))
    }

    @Test(.timeLimit(.minutes(2)))
    func aServerThatIsNotThereIsUnavailable() async throws {
        let server = try S3Server.start(.moto)
        let store = try await S3Fixture(server: server, prefix: "p").open()
        server.stop()
        for call in 0..<2 {
            let error = await #expect(throws: ObjectStoreError.self) {
                if call == 0 { _ = try await store.get(ObjectKey("a")) }
                if call == 1 { _ = try await store.put(ObjectKey("a"), [1], .absent) }
            }
            #expect(error?.disposition == .retry, "\(String(describing: error))")
        }
    }
}

/// One prefix in a server's bucket.
struct S3Fixture: BucketFixture {
    let server: S3Server
    var bucket: String?
    var prefix: String
    var secretKey: String?
    /// In place of the server's own.
    var endpoint: String?

    func open() async throws -> any ObjectStore { try openStore() }

    func openStore() throws -> any ObjectStore {
        var settings = S3Settings()
        settings.endpoint = try S3Endpoint(endpoint ?? server.endpoint)
        settings.region = server.region
        let url = try BucketURL("s3://\(bucket ?? server.bucket)", prefix: prefix)
        return try BucketSettings(url: url, s3: settings).open(environment: [
            "AWS_ACCESS_KEY_ID": server.accessKey, "AWS_SECRET_ACCESS_KEY": secretKey ?? server.secretKey,
        ])
    }
}
