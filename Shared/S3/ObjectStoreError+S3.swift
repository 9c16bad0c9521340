// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
import Foundation
import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import ObjectStorage
import Wire

/// What an answer of an S3 store means, or that none came.
extension ObjectStoreError {
    init(answering request: S3Request, _ response: S3Response) {
        let failure = S3XML.failure(response.body) ?? S3XML.Failure()
        let code = failure.code
        switch (response.status.code, code) {
        case (412, _): self = Self.about(request) { .preconditionFailed($0) }
        case (409, "ConditionalRequestConflict"), (409, "OperationAborted"):
            self = Self.about(request) { .conflict($0) }
        case (404, "NoSuchBucket"): self = .refused(.noSuchBucket)
        case (404, _): self = Self.about(request) { .notFound($0) }
        case (416, _): self = Self.about(request) { .corrupt($0, .short(expected: 1, found: 0)) }
        case (429, _), (503, _):
            let pause = response.headers.first(name: "retry-after").flatMap { RetryAfter.pause($0, now: Date()) }
            self = .unavailable(.overloaded(retryAfter: pause))
        // The store did not take a body that was damaged on the way, or waited for it too long.
        case (400, "BadDigest"), (400, "XAmzContentSHA256Mismatch"), (400, "RequestTimeout"),
            (400, "XAmzContentChecksumMismatch"), (400, "IncompleteBody"):
            self = .unavailable(.serverFailed(status: 400, code: code))
        case (408, _):
            let cause = Cause.serverFailed(status: 408, code: code)
            self = request.isWrite ? Self.about(request) { .ambiguous($0, cause) } : .unavailable(cause)
        case (500..., _) where response.status.code != 501:
            let cause = Cause.serverFailed(status: Int(response.status.code), code: code)
            self = request.isWrite ? Self.about(request) { .ambiguous($0, cause) } : .unavailable(cause)
        case (501, _): self = .refused(.notImplemented(feature: Self.feature(of: request)))
        case (403, "RequestTimeTooSkewed"), (400, "RequestTimeTooSkewed"): self = .refused(.clockSkew)
        case (401, _), (403, _), (400, "ExpiredToken"), (400, "InvalidToken"), (400, "TokenRefreshRequired"):
            self = .refused(.denied(code: code, message: failure.message))
        case (300..<400, _), (400, "AuthorizationHeaderMalformed"), (400, "IllegalLocationConstraintException"):
            let region = response.headers.first(name: "x-amz-bucket-region") ?? failure.region
            let status = Int(response.status.code)
            let isKnown = region != nil || status == 400
            self = .refused(
                isKnown
                    ? .elsewhere(region: region)
                    : .redirected(status: status, location: response.headers.first(name: "location")))
        default:
            self = .refused(
                .answered(status: Int(response.status.code), code: code, message: failure.message))
        }
    }

    /// No answer came, or none that could be read.
    init(losing request: S3Request, at server: S3Endpoint, _ error: any Error) {
        switch error {
        // Nothing was sent.
        case let error as NIOConnectionError: self = .unavailable(.unreachable(Self.reason(error)))
        case let error as IOError where Self.connectFailures.contains(error.errnoCode):
            self = .unavailable(.unreachable(error.description))
        case let error as NIOSSLError where Self.isTrustFailure(error):
            self = .refused(.untrustedServer(server.authority, .notVouchedFor))
        case let error as NIOSSLError where error == .unableToValidateCertificate:
            self = .refused(.untrustedServer(server.authority, .otherHost))
        case is NIOSSLExtraError: self = .refused(.untrustedServer(server.authority, .otherHost))
        case let error as NIOSSLError:
            let hint = "if the server speaks plain HTTP, write http:// in bucket.endpoint"
            self = .unavailable(.unreachable("TLS with \(server.authority) failed; \(hint) (\(error))"))
        case let error as HTTPClientError: self.init(losing: request, error)
        case let error as TooLong:
            self = Self.about(request) { .corrupt($0, .otherRange("more than \(error.limit) bytes")) }
        default: self = Self.lost(request, .replyLost)
        }
    }

    private init(losing request: S3Request, _ error: HTTPClientError) {
        switch error {
        case .connectTimeout, .getConnectionFromPoolTimeout, .tlsHandshakeTimeout:
            self = .unavailable(.unreachable("\(error)"))
        case .readTimeout, .writeTimeout, .deadlineExceeded: self = Self.lost(request, .noAnswer("\(error)"))
        default: self = Self.lost(request, .replyLost)
        }
    }

    /// What connect(2) gives and a connection that stands never does.
    private static let connectFailures: Set<Int32> = [
        ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ENETDOWN, EHOSTDOWN, EADDRNOTAVAIL,
    ]

    private static func reason(_ error: NIOConnectionError) -> String {
        let server = "\(error.host):\(error.port)"
        guard error.connectionErrors.isEmpty else {
            return error.connectionErrors.map { "\(server), \($0.target): \($0.error)" }.joined(separator: "; ")
        }
        return "no address is known for the host of \(server); correct bucket.endpoint or bucket.region, or see "
            + "whether this machine's name server answers"
    }

    private static func isTrustFailure(_ error: NIOSSLError) -> Bool {
        guard case .handshakeFailed(let cause) = error else { return false }
        return "\(cause)".contains("CERTIFICATE_VERIFY_FAILED")
    }

    private static func lost(_ request: S3Request, _ cause: Cause) -> ObjectStoreError {
        request.isWrite ? about(request) { .ambiguous($0, cause) } : .unavailable(cause)
    }

    /// An answer that only makes sense for an object; for a listing it is one that nobody expects.
    private static func about(_ request: S3Request, _ error: (ObjectKey) -> ObjectStoreError) -> ObjectStoreError {
        request.key.map(error) ?? .refused(.answered(status: 0, code: "", message: "an answer that fits no listing"))
    }

    private static func feature(of request: S3Request) -> String {
        request.headers.contains { $0.name == "if-match" || $0.name == "if-none-match" }
            ? "conditional writes (If-Match, If-None-Match)" : "\(request.method.rawValue) \(request.path)"
    }
}
