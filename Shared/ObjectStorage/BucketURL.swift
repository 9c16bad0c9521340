// SPDX-License-Identifier: Apache-2.0

/// Where the objects are, as written in the configuration: `file:///directory` or `s3://bucket`, and the prefix below
/// which everything of this gateway lies (so that several can share a bucket).
package struct BucketURL: Equatable, Sendable, CustomStringConvertible {
    package enum Place: Equatable, Sendable {
        case directory(String)
        case s3(bucket: String)
    }

    package let place: Place
    /// Empty, or components without a `/` at either end.
    package let prefix: String

    package init(_ text: String, prefix: String = "") throws(ObjectStoreError) {
        do {
            self.place = try Self.place(text)
            self.prefix = try Self.prefix(prefix)
        } catch {
            throw .refused(.unsupportedURL(text, error))
        }
    }

    package var description: String {
        let place =
            switch place {
            case .directory(let path): "file://" + path
            case .s3(let bucket): "s3://" + bucket
            }
        return place + (prefix.isEmpty ? "" : " (prefix \(prefix))")
    }

    private static func place(_ text: String) throws(ObjectStoreError.URLFault) -> Place {
        guard let colon = text.firstRange(of: "://") else { throw .noScheme }
        let scheme = text[..<colon.lowerBound].lowercased()
        let rest = text[colon.upperBound...]
        switch scheme {
        case "file": return .directory(try directory(rest))
        case "s3": return .s3(bucket: try bucketName(rest))
        default: throw .unknownScheme(scheme)
        }
    }

    private static func directory(_ rest: Substring) throws(ObjectStoreError.URLFault) -> String {
        guard let slash = rest.firstIndex(of: "/") else {
            throw rest.isEmpty ? .relativePath : .hostInFileURL(String(rest))
        }
        let host = rest[..<slash]
        guard host.isEmpty || host == "localhost" else { throw .hostInFileURL(String(host)) }
        var path = try unescaped(rest[slash...])
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return path
    }

    /// AWS's rules for names; other stores allow no others that could stand in a host name.
    private static func bucketName(_ rest: Substring) throws(ObjectStoreError.URLFault) -> String {
        var name = rest
        if name.hasSuffix("/") { name.removeLast() }
        if let slash = name.firstIndex(of: "/") { throw .keyInS3URL(String(name[name.index(after: slash)...])) }
        let isInside = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."),
                UInt8(ascii: "-"):
                true
            default: false
            }
        }
        let isEdged = [name.first, name.last].allSatisfy { $0.map { $0.isLetter || $0.isNumber } ?? false }
        guard (3...63).contains(name.utf8.count), isInside, isEdged, !name.contains("..") else {
            throw .badBucketName(String(name))
        }
        return String(name)
    }

    private static func prefix(_ text: String) throws(ObjectStoreError.URLFault) -> String {
        var prefix = Substring(text)
        while prefix.hasPrefix("/") { prefix.removeFirst() }
        while prefix.hasSuffix("/") { prefix.removeLast() }
        if !prefix.isEmpty, let fault = ObjectKeyRules.fault(in: String(prefix)) { throw .badPrefix(fault) }
        return String(prefix)
    }

    private static func unescaped(_ text: Substring) throws(ObjectStoreError.URLFault) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let digits = String(rest.prefix(2)), let value = UInt8(digits, radix: 16), value != 0
            else { throw .badEscape }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        guard let path = String(validating: bytes, as: UTF8.self) else { throw .badEscape }
        return path
    }
}

/// A bucket and everything that is needed to open it.
package struct BucketSettings: Equatable, Sendable, CustomStringConvertible {
    package var url: BucketURL
    /// Of an `s3://` bucket.
    package var s3: S3Settings
    package init(url: BucketURL, s3: S3Settings = S3Settings()) {
        self.url = url
        self.s3 = s3
    }

    package var description: String {
        guard case .s3 = url.place else { return url.description }
        return "\(url) at \(s3.endpoint?.description ?? "AWS, \(s3.region)")"
    }
}

/// What a program wants to do with a bucket. Reading only needs no write permission and leaves no trace.
package enum BucketAccess: Sendable { case readOnly, readWrite }
