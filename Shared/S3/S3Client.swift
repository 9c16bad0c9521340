// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import ObjectStorage
import Platform
import Wire

/// Signs requests, sends them, and says what an answer or the lack of one means. Safe to use from any task.
final class S3Client: Sendable {
    /// What one attempt may take: this, and a part for its body on the slowest link, which four uploads share as a
    /// rule. The cache manager waits longer for a pack (`Shard.timeoutMilliseconds`).
    private static let attemptTime = TimeAmount.seconds(20)
    /// The same for what is small: it has taken no part of a store's bandwidth, so it hangs when it takes so long, and
    /// the sooner it is asked again the better (HEAD of a lease, frames, the probe).
    private static let smallAttemptTime = TimeAmount.seconds(10)
    /// No part of a body went out for this long: the other end hangs. Silence after it is left to the deadline, since
    /// what is in the kernel's buffer may take a slow link long.
    private static let idleTime = TimeAmount.seconds(15)
    private static let connectTime = TimeAmount.seconds(5)
    /// Shorter than servers keep a connection, so that few requests meet one that is just being closed.
    private static let poolTime = TimeAmount.seconds(10)
    /// More than any program here asks for at once, so that a read never waits for a write's connection.
    private static let connectionLimit = 192
    private static let errorByteLimit = 64 << 10

    private let endpoint: S3Endpoint
    private let signature: SignatureV4
    private let credentials: CredentialsSource
    private let http: HTTPClient

    /// - Parameter addresses: of hosts that no name server knows, for tests.
    init(
        _ endpoint: S3Endpoint, settings: S3Settings, credentials: CredentialsSource, addresses: [String: String] = [:]
    ) throws(ObjectStoreError) {
        self.endpoint = endpoint
        self.credentials = credentials
        signature = SignatureV4(region: settings.region)
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: try Self.trust(settings.authorityFile), redirectConfiguration: .disallow,
            timeout: .init(connect: Self.connectTime, read: nil, write: Self.idleTime),
            connectionPool: .init(
                idleTimeout: Self.poolTime, concurrentHTTP1ConnectionsPerHostSoftLimit: Self.connectionLimit),
            decompression: .disabled)
        configuration.httpVersion = .http1Only
        configuration.dnsOverride = addresses
        http = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    deinit {
        // It insists on being shut down, and keeps itself until that is done.
        http.shutdown { [http] _ in withExtendedLifetime(http) {} }
    }

    private static func trust(_ authorityFile: String?) throws(ObjectStoreError) -> TLSConfiguration {
        var configuration = TLSConfiguration.makeClientConfiguration()
        guard let authorityFile else { return configuration }
        do {
            configuration.additionalTrustRoots = [
                .certificates(try NIOSSLCertificate.fromPEMFile(authorityFile))
            ]
        } catch {
            throw .refused(.badAuthorityFile(authorityFile, reason: "\(error)"))
        }
        return configuration
    }

    /// - Throws: unless the store says that it did what was asked (2xx).
    func send(_ request: S3Request) async throws(ObjectStoreError) -> S3Response {
        let used = credentials.credentials()
        do {
            return try await attempt(request, used)
        } catch {
            // Keys may have been exchanged. A refused request did nothing, so it may go out again.
            guard case .refused(.denied) = error, let others = credentials.renewed(after: used) else { throw error }
            return try await attempt(request, others)
        }
    }

    private func attempt(
        _ request: S3Request, _ credentials: Credentials
    ) async throws(ObjectStoreError) -> S3Response {
        let response: S3Response
        do {
            response = try await exchange(request, credentials)
        } catch {
            throw ObjectStoreError(losing: request, at: endpoint, error)
        }
        guard (200..<300).contains(response.status.code) else { throw ObjectStoreError(answering: request, response) }
        return response
    }

    private func exchange(_ request: S3Request, _ credentials: Credentials) async throws -> S3Response {
        var signed = SignatureV4.Request(
            method: request.method.rawValue, path: request.path, query: request.query,
            headers: [("host", endpoint.authority)] + request.headers,
            payloadHash: payloadHash(of: request.body))
        signature.sign(
            &signed, with: credentials,
            at: SignatureV4.Time(millisecondsSince1970: WallClock.millisecondsNow()))
        let query = request.query.isEmpty ? "" : "?" + SignatureV4.canonicalQuery(request.query)
        var message = HTTPClientRequest(url: endpoint.description + request.path + query)
        message.method = request.method
        for (name, value) in signed.headers { message.headers.add(name: name, value: value) }
        if request.method == .PUT {
            message.body = .stream(BodyParts(bytes: request.body), length: .known(Int64(request.body.count)))
        }
        let byteCount = request.body.count + (request.expectedByteCount ?? 0)
        let bodyTime = TimeAmount.milliseconds(Int64(SlowestLink.milliseconds(byteCount: byteCount)))
        let attemptTime = request.isSmall ? Self.smallAttemptTime : Self.attemptTime
        let response = try await http.execute(message, deadline: .now() + attemptTime + bodyTime)
        return S3Response(
            status: response.status, headers: response.headers,
            body: try await Self.body(of: response, limit: request.answerByteLimit))
    }

    /// TLS keeps a body from being altered; hashing it as well would cost as much as compressing it. The CRC-32C that
    /// the store checks is signed either way.
    private func payloadHash(of body: [UInt8]) -> String {
        endpoint.isSecure && !body.isEmpty ? SignatureV4.unsignedPayload : SignatureV4.payloadHash(of: body)
    }

    /// What is longer than announced or ends before it makes the HTTP client throw.
    private static func body(of response: HTTPClientResponse, limit: Int) async throws -> [UInt8] {
        let isError = !(200..<300).contains(response.status.code)
        var bytes: [UInt8] = []
        if let length = response.headers.contentByteCount, length > 0 {
            bytes.reserveCapacity(min(Int(clamping: length), isError ? errorByteLimit : limit))
        }
        for try await part in response.body {
            bytes.append(contentsOf: part.readableBytesView)
            if isError, bytes.count > errorByteLimit { break }
            guard isError || bytes.count <= limit else { throw TooLong(limit: limit) }
        }
        return bytes
    }
}

/// More was sent than was asked for: a range was ignored, or the object is none of ours.
struct TooLong: Error {
    let limit: Int
}

/// A body in parts, each handed out when the one before it went on its way: so that the time an upload takes is seen.
private struct BodyParts: AsyncSequence, Sendable {
    typealias Element = ByteBuffer
    private static let partByteCount = 256 << 10
    let bytes: [UInt8]

    struct AsyncIterator: AsyncIteratorProtocol {
        let bytes: [UInt8]
        var start = 0
        mutating func next() async -> ByteBuffer? {
            guard start < bytes.count else { return nil }
            let end = start + Swift.min(partByteCount, bytes.count - start)
            defer { start = end }
            return ByteBuffer(bytes: bytes[start..<end])
        }
    }
    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(bytes: bytes) }
}
