// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import S3

/// The examples of "Authenticating Requests: Using the Authorization Header", Amazon S3 API Reference.
/// Testable: how a request is signed is nobody else's business.
struct SignatureV4Tests {
    private let credentials = Credentials(
        accessKeyID: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
    private let time = SignatureV4.Time(text: "20130524T000000Z")

    private func signature(of request: SignatureV4.Request) -> String? {
        var request = request
        SignatureV4(region: "us-east-1").sign(&request, with: credentials, at: time)
        let value = request.headers.last { $0.name == "authorization" }?.value
        return value?.split(separator: "Signature=").last.map(String.init)
    }

    @Test func signsARangedRead() {
        let signature = signature(
            of: SignatureV4.Request(
                method: "GET", path: "/test.txt",
                headers: [("host", "examplebucket.s3.amazonaws.com"), ("range", "bytes=0-9")],
                payloadHash: SignatureV4.emptyPayloadHash))
        #expect(signature == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
    }

    @Test func signsAWriteAndItsBody() {
        let signature = signature(
            of: SignatureV4.Request(
                method: "PUT", path: "/test%24file.text",
                headers: [
                    ("host", "examplebucket.s3.amazonaws.com"), ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                    ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                ],
                payloadHash: SignatureV4.payloadHash(of: Array("Welcome to Amazon S3.".utf8))))
        #expect(signature == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")
    }

    @Test func signsAQueryWithoutAValue() {
        let signature = signature(
            of: SignatureV4.Request(
                method: "GET", path: "/", query: [("lifecycle", "")],
                headers: [("host", "examplebucket.s3.amazonaws.com")], payloadHash: SignatureV4.emptyPayloadHash))
        #expect(signature == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
    }

    @Test func signsAListing() {
        let signature = signature(
            of: SignatureV4.Request(
                method: "GET", path: "/", query: [("prefix", "J"), ("max-keys", "2")],
                headers: [("host", "examplebucket.s3.amazonaws.com")], payloadHash: SignatureV4.emptyPayloadHash))
        #expect(signature == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
    }

    @Test func signsTheSessionTokenToo() {
        var request = SignatureV4.Request(
            method: "GET", path: "/", headers: [("host", "h")], payloadHash: SignatureV4.emptyPayloadHash)
        let temporary = Credentials(accessKeyID: "A", secretAccessKey: "S", sessionToken: "T")
        SignatureV4(region: "eu-west-1").sign(&request, with: temporary, at: time)
        #expect(request.headers.contains { $0 == ("x-amz-security-token", "T") })
        let value = request.headers.last?.value ?? ""
        #expect(value.contains("SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,"))
        #expect(value.contains("Credential=A/20130524/eu-west-1/s3/aws4_request,"))
    }

    @Test func writesTheTimeAsTheSignatureWantsIt() {
        #expect(SignatureV4.Time(millisecondsSince1970: 1_369_353_600_999).text == "20130524T000000Z")
        #expect(SignatureV4.Time(millisecondsSince1970: 1_709_210_096_000).text == "20240229T123456Z")
    }

    @Test func escapesWhatIsNotUnreserved() {
        let query = SignatureV4.canonicalQuery([("start-after", "a/b c~ä"), ("list-type", "2")])
        #expect(query == "list-type=2&start-after=a%2Fb%20c~%C3%A4")
    }

    @Test func neverPrintsTheSecret() {
        #expect(!"\(credentials)".contains(credentials.secretAccessKey))
    }
}
