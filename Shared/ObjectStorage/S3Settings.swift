// SPDX-License-Identifier: Apache-2.0

/// How the store behind an `s3://` URL is reached; the URL itself only names the bucket.
package struct S3Settings: Equatable, Sendable {
    /// Where the bucket's name stands in a request.
    package enum Addressing: String, CaseIterable, Sendable {
        /// `path` where an endpoint is set, else `virtual-host`, which AWS asks for.
        case automatic
        /// `https://endpoint/bucket/key`
        case path
        /// `https://bucket.endpoint/key`
        case virtualHost = "virtual-host"
    }

    /// nil: AWS, in `region`.
    package var endpoint: S3Endpoint?
    package var region: String
    package var addressing: Addressing
    /// A file as the AWS tools keep it; nil: `AWS_SHARED_CREDENTIALS_FILE`, then the environment.
    package var credentialsFile: String?
    package var credentialsProfile: String
    /// PEM certificates of further authorities whose servers are trusted.
    package var authorityFile: String?

    package static let defaultRegion = "us-east-1"
    package static let defaultProfile = "default"

    package init(
        endpoint: S3Endpoint? = nil, region: String = defaultRegion, addressing: Addressing = .automatic,
        credentialsFile: String? = nil, credentialsProfile: String = defaultProfile, authorityFile: String? = nil
    ) {
        self.endpoint = endpoint
        self.region = region
        self.addressing = addressing
        self.credentialsFile = credentialsFile
        self.credentialsProfile = credentialsProfile
        self.authorityFile = authorityFile
    }
}

/// A server that speaks S3: `https://host:port`.
package struct S3Endpoint: Equatable, Sendable, CustomStringConvertible {
    package let isSecure: Bool
    /// A name or a numeric address, an IPv6 address in brackets.
    package let host: String
    /// nil: the scheme's own.
    package let port: UInt16?

    package init(isSecure: Bool, host: String, port: UInt16?) {
        self.isSecure = isSecure
        self.host = host
        self.port = port == (isSecure ? 443 : 80) ? nil : port
    }

    package init(_ text: String) throws(ObjectStoreError.URLFault) {
        guard let colon = text.firstRange(of: "://") else { throw .badEndpoint(text) }
        let scheme = text[..<colon.lowerBound].lowercased()
        guard scheme == "https" || scheme == "http" else { throw .badEndpoint(text) }
        var authority = text[colon.upperBound...]
        if authority.hasSuffix("/") { authority.removeLast() }
        var port: UInt16?
        if let last = authority.lastIndex(of: ":"), !authority[last...].contains("]") {
            port = UInt16(authority[authority.index(after: last)...])
            guard port != nil, port != 0 else { throw .badEndpoint(text) }
            authority = authority[..<last]
        }
        let isBracketed = authority.hasPrefix("[") && authority.hasSuffix("]")
        let isHost = authority.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                true
            case UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: ":"): isBracketed
            default: false
            }
        }
        guard !authority.isEmpty, isHost else { throw .badEndpoint(text) }
        self.init(isSecure: scheme == "https", host: authority.lowercased(), port: port)
    }

    /// As it stands in a Host header.
    package var authority: String { host + (port.map { ":\($0)" } ?? "") }
    package var description: String { (isSecure ? "https://" : "http://") + authority }
}
