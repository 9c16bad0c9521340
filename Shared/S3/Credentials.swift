// SPDX-License-Identifier: Apache-2.0
import Foundation
package import ObjectStorage
import Platform
import Synchronization

/// An access key. Never printed: the secret would be in a log.
package struct Credentials: Equatable, Sendable, CustomStringConvertible {
    package var accessKeyID: String
    package var secretAccessKey: String
    package var sessionToken: String?
    package init(accessKeyID: String, secretAccessKey: String, sessionToken: String? = nil) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
    }

    package var description: String { "access key \(accessKeyID)" }
}

extension Credentials {
    /// nil if the environment has none.
    fileprivate init?(environment: [String: String]) {
        func value(_ name: String) -> String? {
            let value = environment[name]?.trimmingCharacters(in: .whitespacesAndNewlines)
            return value?.isEmpty == false ? value : nil
        }
        guard let keyID = value("AWS_ACCESS_KEY_ID"), let secret = value("AWS_SECRET_ACCESS_KEY") else { return nil }
        self.init(accessKeyID: keyID, secretAccessKey: secret, sessionToken: value("AWS_SESSION_TOKEN"))
    }
}

/// Where credentials come from: a file if one is named, else the environment. The file is read again when the store
/// refuses what it held, so that keys can be exchanged without a restart.
package final class CredentialsSource: Sendable {
    /// No larger file holds keys only.
    private static let fileByteLimit = 1 << 20

    private let file: (path: String, profile: String)?
    private let current: Mutex<Credentials>

    package init(settings: S3Settings, environment: [String: String]) throws(ObjectStoreError) {
        let given = Credentials(environment: environment)
        // What the environment says directly is for this very program; a file it names may be everybody's.
        let shared = given == nil ? environment["AWS_SHARED_CREDENTIALS_FILE"] : nil
        file = (settings.credentialsFile ?? shared).map { ($0, settings.credentialsProfile) }
        if let file {
            current = Mutex(try Self.load(file.path, profile: file.profile))
        } else if let given {
            current = Mutex(given)
        } else {
            throw .refused(.noCredentials)
        }
    }

    package func credentials() -> Credentials { current.withLock { $0 } }

    /// Looks again after the store refused `used`.
    /// - Returns: other credentials that may be tried, or nil.
    package func renewed(after used: Credentials) -> Credentials? {
        guard let file, let found = try? Self.load(file.path, profile: file.profile), found != used else { return nil }
        current.withLock { $0 = found }
        return found
    }

    private static func load(_ file: String, profile: String) throws(ObjectStoreError) -> Credentials {
        let bytes: [UInt8]
        do {
            bytes = try FileSystem.readFile(file, limit: fileByteLimit)
        } catch {
            throw .refused(.badCredentialsFile(file, reason: error.reason))
        }
        let values = CredentialsFile.values(ofProfile: profile, in: String(decoding: bytes, as: UTF8.self))
        guard let values else {
            throw .refused(.badCredentialsFile(file, reason: "it has no section [\(profile)]"))
        }
        guard let keyID = values["aws_access_key_id"], let secret = values["aws_secret_access_key"] else {
            throw .refused(
                .badCredentialsFile(
                    file, reason: "section [\(profile)] needs aws_access_key_id and aws_secret_access_key"))
        }
        return Credentials(
            accessKeyID: keyID, secretAccessKey: secret, sessionToken: values["aws_session_token"])
    }
}

/// The AWS tools' file of credentials: `[profile]` sections with `name = value` lines, `#` and `;` for comments.
enum CredentialsFile {
    /// - Returns: names in lower case; nil if there is no such section.
    static func values(ofProfile profile: String, in text: String) -> [String: String]? {
        var values: [String: String]?
        var isInside = false
        for line in text.split(whereSeparator: \.isNewline) {
            let line = trimmed(line)
            if line.isEmpty || line.hasPrefix("#") || line.hasPrefix(";") { continue }
            if line.hasPrefix("["), line.hasSuffix("]") {
                isInside = trimmed(line.dropFirst().dropLast()) == profile
                if isInside { values = values ?? [:] }
            } else if isInside, let equals = line.firstIndex(of: "=") {
                let value = trimmed(line[line.index(after: equals)...])
                if !value.isEmpty { values?[trimmed(line[..<equals]).lowercased()] = String(value) }
            }
        }
        return values
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop(while: \.isWhitespace)
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
