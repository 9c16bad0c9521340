// SPDX-License-Identifier: Apache-2.0
package import Bus
import Glibc
package import Messages
import Platform

/// The directory of the keys that services show each other on a network: `<kind>.key`, secret, for whoever is of that
/// kind, and `<kind>.pub` of every kind that may connect. One pair per kind; replicas share it.
package struct BusKeyDirectory: Sendable {
    package let path: DirectoryPath
    package init(_ path: DirectoryPath) { self.path = path }

    /// One kind's files, and what is wrong with them, for people.
    package struct Entry: Sendable {
        package var kind: ServiceKind
        package var publicKey: CurvePublicKey?
        package var secretKey: CurveSecretKey?
        package var problems: [String] = []
    }

    private static let fileByteLimit = 1024

    package func secretPath(_ kind: ServiceKind) -> String { path.appending("\(kind.shortName).key") }
    package func publicPath(_ kind: ServiceKind) -> String { path.appending("\(kind.shortName).pub") }

    // MARK: Making

    /// All pairs. Refuses a directory that holds anything: a key that is replaced cuts off whoever has the old one.
    package func create() throws {
        if FileSystem.exists(path.path) {
            let names = try FileSystem.list(path.path)
            guard names.isEmpty else {
                throw ServiceFailure(
                    .cannotCreate,
                    "\(path) is not empty (\(names.prefix(3).joined(separator: ", "))…): keys are not overwritten; "
                        + "name another directory with --directory, or move this one away")
            }
        } else {
            try FileSystem.createDirectory(path.path, permissions: 0o755)
        }
        for kind in ServiceKind.allCases {
            let secret = try CurveSecretKey.generate()
            try FileSystem.replaceFile(secretPath(kind), with: Array("\(secret.text)\n".utf8), permissions: 0o600)
            try FileSystem.replaceFile(
                publicPath(kind), with: Array("\(secret.publicKey.text)\n".utf8), permissions: 0o644)
        }
    }

    // MARK: Reading

    /// What a process of this kind needs; every obstacle at once, with what to do.
    package func keys(of own: ServiceKind, reaching kinds: Set<ServiceKind>) throws(ConfigurationError) -> BusKeys {
        let (entries, general) = contents()
        var problems = general
        var listed: [ServiceKind: CurvePublicKey] = [:]
        for entry in entries {
            // Another kind's secret is none of this process's business.
            if entry.kind == own || entry.publicKey == nil { problems += entry.problems }
            if let key = entry.publicKey { listed[entry.kind] = key }
        }
        if general.isEmpty {
            for kind in kinds.subtracting(entries.map(\.kind)).sorted(by: { $0.rawValue < $1.rawValue }) {
                problems.append(
                    "\(publicPath(kind)) is missing, and bus.services names a \(kind.shortName): copy it from where "
                        + "the keys were made")
            }
            if !FileSystem.exists(secretPath(own)) {
                problems.append(
                    "\(secretPath(own)) is missing, the secret key of this service: copy it from where the keys were "
                        + "made, or make all with `sluice keys create --directory \(path)`")
            }
        }
        guard problems.isEmpty, let secret = entries.first(where: { $0.kind == own })?.secretKey else {
            throw Self.error(problems.isEmpty ? ["\(secretPath(own)) cannot be used"] : problems)
        }
        return BusKeys(own: own, secretKey: secret, listed: listed)
    }

    /// All complaints that do not depend on which service asks.
    package var problems: [String] {
        let (entries, general) = contents()
        return general + entries.flatMap(\.problems)
    }

    static func error(_ problems: [String]) -> ConfigurationError {
        ConfigurationError(problems.map { .init(place: "", key: "bus.keys_directory", reason: $0) })
    }

    /// The kinds of which there are files, and what is wrong with the directory as a whole.
    package func contents() -> (entries: [Entry], problems: [String]) {
        let names: [String]
        do {
            names = try FileSystem.list(path.path)
        } catch {
            let remedy = "make the keys with `sluice keys create --directory \(path)`"
            return switch error.errorNumber {
            case ENOENT: ([], ["\(path) does not exist; \(remedy), or copy them there"])
            case ENOTDIR: ([], ["\(path) is not a directory; \(remedy) elsewhere and correct the key"])
            default:
                ([], ["\(path) cannot be read by this user (uid \(geteuid())): \(error.reason); chown it to this user"])
            }
        }
        var problems: [String] = []
        for name in names where name.hasSuffix(".pub") && ServiceKind(shortName: String(name.dropLast(4))) == nil {
            problems.append("\(path.appending(name)) is named for no kind of service: remove it")
        }
        var entries = ServiceKind.allCases.compactMap { kind -> Entry? in
            let files = ["\(kind.shortName).key", "\(kind.shortName).pub"]
            return files.contains(where: names.contains) ? entry(kind) : nil
        }
        var owners: [CurvePublicKey: ServiceKind] = [:]
        for (index, entry) in entries.enumerated() {
            guard let key = entry.publicKey, let other = owners.updateValue(entry.kind, forKey: key) else { continue }
            entries[index].publicKey = nil
            entries[index].problems.append(
                "\(publicPath(entry.kind)) is the same key as \(publicPath(other)): each kind needs its own")
        }
        return (entries, problems)
    }

    private func entry(_ kind: ServiceKind) -> Entry {
        var entry = Entry(kind: kind)
        let file = publicPath(kind)
        if let text = read(file, &entry.problems) {
            entry.publicKey = CurvePublicKey(text: text)
            if entry.publicKey == nil { entry.problems.append(Self.malformed(file)) }
        } else if entry.problems.isEmpty {
            entry.problems.append("\(file) is missing: copy it from where the keys were made")
        }
        readSecret(&entry)
        return entry
    }

    private func readSecret(_ entry: inout Entry) {
        let file = secretPath(entry.kind)
        guard let text = read(file, &entry.problems) else { return }
        var status = stat()
        if unsafe stat(file, &status) == 0, status.st_mode & 0o077 != 0 {
            let mode = String(status.st_mode & 0o777, radix: 8)
            entry.problems.append("\(file) is open to other users (mode \(mode)): chmod 600 \(file)")
        }
        guard let secret = CurveSecretKey(text: text) else { return entry.problems.append(Self.malformed(file)) }
        entry.secretKey = secret
        if let key = entry.publicKey, key != secret.publicKey {
            entry.problems.append(
                "\(file) and \(publicPath(entry.kind)) do not belong together: copy both from where the keys were made")
        }
    }

    /// nil if there is no such file, or, with a problem, none that can be read.
    private func read(_ file: String, _ problems: inout [String]) -> String? {
        do {
            let bytes = try FileSystem.readFile(file, limit: Self.fileByteLimit)
            return String(decoding: bytes.filter { $0 > 0x20 }, as: UTF8.self)
        } catch {
            if error.errorNumber != ENOENT {
                problems.append(
                    "\(file) cannot be read by this user (uid \(geteuid())): \(error.reason); chown it to this user")
            }
            return nil
        }
    }

    private static func malformed(_ file: String) -> String {
        "\(file) holds no key of \(CurvePublicKey.textByteCount) characters: copy it from where the keys were made"
    }
}
