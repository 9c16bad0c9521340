// SPDX-License-Identifier: Apache-2.0
import Foundation
import NIOHTTP1
import ObjectStorage
import Testing
import Wire

@testable import S3

/// What each answer of a store makes of a request, given as (status, S3's code).
struct S3AnswerTests {
    private static let key = ObjectKey("volumes/v/HEAD")

    private func error(_ method: HTTPMethod, _ status: Int, _ code: String = "") -> ObjectStoreError {
        let body = code.isEmpty ? "" : "<Error><Code>\(code)</Code><Message>why</Message></Error>"
        return ObjectStoreError(
            answering: S3Request(method: method, path: "/b/k", key: Self.key),
            S3Response(status: HTTPResponseStatus(statusCode: status), headers: [:], body: Array(body.utf8)))
    }

    @Test func decisionsOfTheStoreAreAnswers() {
        #expect(error(.PUT, 412, "PreconditionFailed") == .preconditionFailed(Self.key))
        #expect(error(.PUT, 409, "ConditionalRequestConflict") == .conflict(Self.key))
        #expect(error(.GET, 404, "NoSuchKey") == .notFound(Self.key))
        #expect(error(.HEAD, 404) == .notFound(Self.key))
        #expect(error(.GET, 404, "NoSuchBucket") == .refused(.noSuchBucket))
    }

    @Test(arguments: [500, 502, 504])
    func aFailingServerLeavesAWriteOpen(_ status: Int) {
        let cause = ObjectStoreError.Cause.serverFailed(status: status, code: "InternalError")
        #expect(error(.PUT, status, "InternalError") == .ambiguous(Self.key, cause))
        #expect(error(.GET, status, "InternalError") == .unavailable(cause))
    }

    @Test(arguments: [(503, "SlowDown"), (429, "TooManyRequests"), (503, "")])
    func anOverloadedServerDidNothing(_ status: Int, _ code: String) {
        #expect(error(.PUT, status, code) == .unavailable(.overloaded()))
        #expect(error(.GET, status, code) == .unavailable(.overloaded()))
    }

    @Test func aStoreSaysWhenItWantsToBeAskedAgain() {
        let response = S3Response(status: .serviceUnavailable, headers: ["Retry-After": "7"], body: [])
        let request = S3Request(method: .GET, path: "/b/k", key: Self.key)
        #expect(
            ObjectStoreError(answering: request, response) == .unavailable(.overloaded(retryAfter: .seconds(7))))
    }

    @Test func readsAllFormsOfRetryAfter() {
        // 1994-11-06 08:49:37, the example of RFC 9110 §5.6.7, and twelve seconds before it.
        let now = Date(timeIntervalSince1970: 784_111_777 - 12)
        let texts = [
            "12", "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
        ]
        for text in texts {
            #expect(RetryAfter.pause(text, now: now) == .seconds(12), "\(text)")
        }
        #expect(RetryAfter.pause("Sun, 06 Nov 1994 08:49:00 GMT", now: now) == .zero)
        for text in ["", "soon", "-1", "1e9"] { #expect(RetryAfter.pause(text, now: now) == nil, "\(text)") }
    }

    @Test func aBodyDamagedOnTheWayMayBeSentAgain() {
        for code in ["BadDigest", "XAmzContentSHA256Mismatch", "RequestTimeout"] {
            #expect(error(.PUT, 400, code) == .unavailable(.serverFailed(status: 400, code: code)))
        }
    }

    @Test func whatAPersonHasToMendIsRefused() {
        #expect(error(.PUT, 403, "AccessDenied") == .refused(.denied(code: "AccessDenied", message: "why")))
        #expect(error(.GET, 403, "RequestTimeTooSkewed") == .refused(.clockSkew))
        #expect(error(.GET, 400, "ExpiredToken").disposition == .refuse)
        #expect(error(.GET, 301, "PermanentRedirect").disposition == .refuse)
        #expect(error(.GET, 400, "Surprise") == .refused(.answered(status: 400, code: "Surprise", message: "why")))
    }

    @Test(arguments: [301, 302, 307])
    func aRedirectWithoutARegionSaysWhatIsWrong(_ status: Int) {
        let request = S3Request(method: .GET, path: "/b/k", key: Self.key)
        let answer = S3Response(
            status: HTTPResponseStatus(statusCode: status), headers: ["Location": "https://b.example.org/"], body: [])
        let error = ObjectStoreError(answering: request, answer)
        #expect(error == .refused(.redirected(status: status, location: "https://b.example.org/")))
        #expect(error.description.contains("\(status), to https://b.example.org/"))
        #expect(error.description.contains("bucket.endpoint or bucket.region is wrong"))
        let known = S3Response(status: answer.status, headers: ["x-amz-bucket-region": "eu-west-1"], body: [])
        #expect(ObjectStoreError(answering: request, known) == .refused(.elsewhere(region: "eu-west-1")))
    }

    @Test func aStoreWithoutConditionsIsNamedSo() {
        var request = S3Request(method: .PUT, path: "/b/k", key: Self.key)
        request.headers = [("if-none-match", "*")]
        let error = ObjectStoreError(
            answering: request, S3Response(status: .notImplemented, headers: [:], body: []))
        #expect(error.description.contains("conditional writes"))
        #expect(error.disposition == .refuse)
    }

    @Test func readsTagsWithAndWithoutQuotes() {
        for text in ["\"abc-1\"", "abc-1"] {
            #expect(S3Response(status: .ok, headers: ["ETag": text], body: []).entityTag == EntityTag("abc-1"))
        }
        #expect(S3Response(status: .ok, headers: [:], body: []).entityTag == nil)
    }

    @Test func checksWhatTheStoreSaysOfTheBody() {
        let body = Array("123456789".utf8)
        // CRC-32C's check value, E3069283.
        #expect(S3Checksum.text(of: body) == "4waSgw==")
        func isRight(_ value: String) -> Bool {
            S3Checksum.isRight(S3Response(status: .ok, headers: [S3Checksum.headerName: value], body: body))
        }
        #expect(isRight("4waSgw=="))
        #expect(!isRight("4waSgg=="))
        #expect(isRight("AAAAAA==-3"))
    }
}
