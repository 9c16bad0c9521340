// SPDX-License-Identifier: Apache-2.0
import Crypto
import Foundation

/// AWS Signature Version 4 in a header ("Authenticating Requests (AWS Signature Version 4)", Amazon S3 API Reference).
/// Golden values: that document's examples, in SignatureV4Tests.
struct SignatureV4 {
    /// A request as it goes out. Whatever is not in here is not signed.
    struct Request {
        var method: String
        /// Percent-encoded, beginning with `/`.
        var path: String
        /// Not encoded.
        var query: [(name: String, value: String)] = []
        /// Names in lower case; must hold `host`.
        var headers: [(name: String, value: String)]
        /// SHA-256 of the body, hexadecimal.
        var payloadHash: String
    }

    /// The moment of signing, `20130524T000000Z`.
    struct Time {
        let text: String
        var day: Substring { text.prefix(8) }

        init(text: String) { self.text = text }

        init(millisecondsSince1970 milliseconds: UInt64) {
            let style = Date.ISO8601FormatStyle(dateSeparator: .omitted, timeSeparator: .omitted, timeZone: .gmt)
            text = Date(timeIntervalSince1970: Double(milliseconds / 1000)).formatted(style)
        }
    }

    static let algorithm = "AWS4-HMAC-SHA256"
    static let emptyPayloadHash = hexadecimal(SHA256.hash(data: [UInt8]()))

    /// In place of the hash: the body is not signed.
    static let unsignedPayload = "UNSIGNED-PAYLOAD"

    let region: String
    var service = "s3"

    static func payloadHash(of body: [UInt8]) -> String {
        body.isEmpty ? emptyPayloadHash : hexadecimal(SHA256.hash(data: body))
    }

    /// Adds the headers that make the request a signed one.
    func sign(_ request: inout Request, with credentials: Credentials, at time: Time) {
        request.headers.append(("x-amz-date", time.text))
        request.headers.append(("x-amz-content-sha256", request.payloadHash))
        if let token = credentials.sessionToken { request.headers.append(("x-amz-security-token", token)) }
        let headers = request.headers.sorted { $0.name < $1.name }
        let signedNames = headers.map(\.name).joined(separator: ";")
        let scope = "\(time.day)/\(region)/\(service)/aws4_request"
        let canonical = canonicalRequest(request, headers: headers, signedNames: signedNames)
        let text = [
            Self.algorithm, time.text, scope, Self.hexadecimal(SHA256.hash(data: Array(canonical.utf8))),
        ].joined(separator: "\n")
        let signature = Self.hexadecimal(Self.code(text, key: signingKey(credentials, day: time.day)))
        request.headers.append(
            (
                "authorization",
                "\(Self.algorithm) Credential=\(credentials.accessKeyID)/\(scope),"
                    + "SignedHeaders=\(signedNames),Signature=\(signature)"
            ))
    }

    private func canonicalRequest(
        _ request: Request, headers: [(name: String, value: String)], signedNames: String
    ) -> String {
        var lines = [request.method, request.path, Self.canonicalQuery(request.query)]
        lines += headers.map { "\($0.name):\($0.value)" }
        lines += ["", signedNames, request.payloadHash]
        return lines.joined(separator: "\n")
    }

    /// Also what goes into the URL, so that both are the same.
    static func canonicalQuery(_ query: [(name: String, value: String)]) -> String {
        query.map { (encoded($0.name), encoded($0.value)) }.sorted { $0.0 < $1.0 }.map { "\($0.0)=\($0.1)" }
            .joined(separator: "&")
    }

    private func signingKey(_ credentials: Credentials, day: Substring) -> SymmetricKey {
        var key = SymmetricKey(data: Array("AWS4\(credentials.secretAccessKey)".utf8))
        for part in [String(day), region, service, "aws4_request"] {
            key = SymmetricKey(data: Self.code(part, key: key))
        }
        return key
    }

    private static func code(_ text: String, key: SymmetricKey) -> HMAC<SHA256>.MAC {
        HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key)
    }

    /// RFC 3986: everything but unreserved characters is escaped.
    static func encoded(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                result.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                result += digits.utf8.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return result
    }

    private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        var digits: [UInt8] = []
        digits.reserveCapacity(64)
        for byte in bytes {
            for nibble in [byte >> 4, byte & 0xf] {
                digits.append(nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10)
            }
        }
        return String(decoding: digits, as: UTF8.self)
    }
}
