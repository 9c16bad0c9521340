// SPDX-License-Identifier: Apache-2.0

/// Where the objects are, as written in the configuration: `file:///directory`, and the prefix below which everything
/// of this gateway lies (so that several can share a bucket).
package struct BucketURL: Equatable, Sendable, CustomStringConvertible {
    /// The directory that is the bucket.
    package let directory: String
    /// Empty, or components without a `/` at either end.
    package let prefix: String

    package init(_ text: String, prefix: String = "") throws(ObjectStoreError) {
        do {
            self.directory = try Self.directory(text)
            self.prefix = try Self.prefix(prefix)
        } catch {
            throw .refused(.unsupportedURL(text, error))
        }
    }

    package var description: String { "file://" + directory + (prefix.isEmpty ? "" : " (prefix \(prefix))") }

    /// Opens the bucket, which must exist.
    package func open(_ access: BucketAccess = .readWrite) throws(ObjectStoreError) -> any ObjectStore {
        try DirectoryObjectStore(directory: directory, prefix: prefix, access: access)
    }

    private static func directory(_ text: String) throws(ObjectStoreError.URLFault) -> String {
        guard let colon = text.firstRange(of: "://") else { throw .noScheme }
        let scheme = text[..<colon.lowerBound].lowercased()
        switch scheme {
        case "file": break
        case "s3": throw .notBuiltIn(scheme)
        default: throw .unknownScheme(scheme)
        }
        let rest = text[colon.upperBound...]
        guard let slash = rest.firstIndex(of: "/") else {
            throw rest.isEmpty ? .relativePath : .hostInFileURL(String(rest))
        }
        let host = rest[..<slash]
        guard host.isEmpty || host == "localhost" else { throw .hostInFileURL(String(host)) }
        var path = try unescaped(rest[slash...])
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return path
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

/// What a program wants to do with a bucket. Reading only needs no write permission and leaves no trace.
package enum BucketAccess: Sendable { case readOnly, readWrite }
