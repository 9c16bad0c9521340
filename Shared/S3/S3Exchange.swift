// SPDX-License-Identifier: Apache-2.0
import Foundation
import NIOCore
import NIOHTTP1
import ObjectStorage
import Wire

/// One request as the store is asked.
struct S3Request {
    let method: HTTPMethod
    let path: String
    var query: [(name: String, value: String)] = []
    /// Names in lower case; host and signature are added when it is sent.
    var headers: [(name: String, value: String)] = []
    var body: [UInt8] = []
    /// Of the answer; nil if it is small or not known.
    var expectedByteCount: Int?
    /// An answer that is longer is not read to its end.
    var answerByteLimit: Int { expectedByteCount ?? 64 << 20 }
    /// The object that it is about, for errors; nil for a listing.
    let key: ObjectKey?

    /// Nothing of size travels either way, as far as is known.
    var isSmall: Bool {
        let answerByteCount = expectedByteCount ?? (method == .GET ? .max : 0)
        return body.count <= Self.smallByteCount && answerByteCount <= Self.smallByteCount
    }
    private static let smallByteCount = 64 << 10

    /// It changes something, so a lost answer leaves open what happened.
    var isWrite: Bool { method == .PUT || method == .DELETE }
}

/// The answer to a request that was served.
struct S3Response {
    let status: HTTPResponseStatus
    let headers: HTTPHeaders
    let body: [UInt8]

    /// Without its quotes: stores differ in whether they want them back.
    var entityTag: EntityTag? {
        guard var text = headers.first(name: "etag").map({ $0[...] }) else { return nil }
        if text.count >= 2, text.hasPrefix("\""), text.hasSuffix("\"") { text = text.dropFirst().dropLast() }
        return EntityTag(String(text))
    }

    var contentByteCount: UInt64? { headers.contentByteCount }
}

extension HTTPHeaders {
    var contentByteCount: UInt64? { first(name: "content-length").flatMap { UInt64($0) } }
}

/// CRC-32C as S3 writes it.
enum S3Checksum {
    static let headerName = "x-amz-checksum-crc32c"

    static func text(of bytes: [UInt8]) -> String {
        let sum = CRC32C.checksum(bytes)
        let parts = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: sum >> $0) }
        return Data(parts).base64EncodedString()
    }

    /// False if the store sent another checksum along. Many send none; one of an object that was put together from
    /// parts is of the parts' checksums, and says so with a dash.
    static func isRight(_ response: S3Response) -> Bool {
        guard let sent = response.headers.first(name: headerName), !sent.contains("-") else { return true }
        return sent == text(of: response.body)
    }
}
