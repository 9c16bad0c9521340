// SPDX-License-Identifier: Apache-2.0
import Glibc
import ISCSI
import Platform
import ServiceKit
import Yams

/// Reads the access file, YAML (docs/OPERATIONS.md describes it). Everything that is wrong with it is found at once;
/// nothing of a secret is in what is said.
struct AccessFileParser {
    private let path: String
    private var problems: [ConfigurationError.Problem] = []
    private var longestSecret = CHAPSecretPolicy.standard.maximumByteCount
    private var hasSecretInside = false

    private init(_ path: String) { self.path = path }

    /// Blocks. Relative names of secret files start at the file's directory.
    static func rules(of path: String) throws(ConfigurationError) -> AccessRules {
        var parser = AccessFileParser(path)
        let root: Node?
        do {
            let bytes = try Platform.FileSystem.readFile(path, limit: 1 << 20)
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw ConfigurationError(place: path, reason: "is not UTF-8 text")
            }
            root = try Yams.compose(yaml: text)
        } catch let error as ConfigurationError {
            throw error
        } catch let error as SystemError {
            throw ConfigurationError(place: path, reason: "cannot be read: \(error.reason)")
        } catch {
            throw ConfigurationError(place: path, reason: "is not YAML: \(Self.reason(of: error))")
        }
        let rules = parser.rules(root)
        if parser.hasSecretInside { parser.checkMode(of: path, place: path) }
        guard parser.problems.isEmpty else { throw ConfigurationError(parser.problems) }
        return rules
    }

    // MARK: The document

    private mutating func rules(_ root: Node?) -> AccessRules {
        var rules = AccessRules()
        rules.isOpenByDefault = false
        guard let root, let document = mapping(root, "", ["default", "discovery", "rules", "digest", "longest_secret"])
        else {
            if root == nil { refuse(nil, "", "is empty; without any rules leave iscsi.access_file away") }
            return rules
        }
        // Before the secrets that it bounds.
        if let node = document["longest_secret"] { readLongestSecret(node) }
        if let node = document["digest"] { rules.algorithms = algorithms(node) }
        if let node = document["default"] {
            switch node.scalar?.string {
            case "open": rules.isOpenByDefault = true
            case "closed": rules.isOpenByDefault = false
            default: refuse(node, "default", "is open or closed: what holds for volumes that no rule names")
            }
        }
        if let node = document["discovery"] { rules.discovery = circle(node, "discovery", further: []).circle }
        for (index, node) in list(document["rules"], "rules").enumerated() {
            let name = "rules[\(index + 1)]"
            let (circle, fields) = circle(node, name, further: ["volumes"])
            guard let volumes = fields["volumes"] else {
                refuse(node, name, "needs volumes: a list of volume names, or \"*\" for all")
                continue
            }
            let names = words(volumes, name + ".volumes")
            rules.rules.append(.init(volumes: names.contains("*") ? nil : Set(names), circle: circle))
        }
        do throws(CHAPCredentialsError) {
            try CHAPCredentials.checkDirections(of: rules.credentials)
        } catch {
            refuse(root, "", "\(error)")
        }
        return rules
    }

    private mutating func readLongestSecret(_ node: Node) {
        let allowed = CHAPSecretPolicy.standard.maximumByteCount...CHAPSecretPolicy.longest
        guard let count = node.scalar.flatMap({ Int($0.string) }), allowed.contains(count) else {
            return refuse(
                node, "longest_secret", "is a number of bytes, \(allowed.lowerBound) to \(allowed.upperBound)")
        }
        longestSecret = count
    }

    private mutating func algorithms(_ node: Node) -> Set<CHAPAlgorithm> {
        let names: [String: CHAPAlgorithm] = ["md5": .md5, "sha1": .sha1, "sha256": .sha256, "sha3-256": .sha3]
        guard let weakest = node.scalar.flatMap({ names[$0.string] }) else {
            refuse(node, "digest", "is the weakest that CHAP may use: md5, sha1, sha256 or sha3-256")
            return []
        }
        return CHAPAlgorithm.atLeast(weakest)
    }

    private mutating func circle(
        _ node: Node, _ name: String, further: [String]
    ) -> (circle: AccessRules.Circle, fields: [String: Node]) {
        var circle = AccessRules.Circle()
        guard let fields = mapping(node, name, ["initiators", "networks", "chap"] + further) else {
            return (circle, [:])
        }
        for word in words(fields["initiators"], name + ".initiators") {
            if let initiator = TextValue.name(word) {
                circle.initiators.insert(initiator)
            } else {
                refuse(fields["initiators"], name + ".initiators", "“\(word)” is no iSCSI name, such as iqn.1993-08.…")
            }
        }
        for word in words(fields["networks"], name + ".networks") {
            if let network = IPNetwork(word) {
                circle.networks.append(network)
            } else {
                refuse(fields["networks"], name + ".networks", "“\(word)” is no network, such as 10.1.0.0/16")
            }
        }
        for (index, node) in list(fields["chap"], name + ".chap").enumerated() {
            if let credentials = credentials(node, "\(name).chap[\(index + 1)]") {
                circle.credentials.append(credentials)
            }
        }
        if let node = fields["chap"], circle.credentials.isEmpty {
            // Else a list that was emptied by mistake would let everybody in.
            refuse(node, name + ".chap", "is empty; leave it away if nobody shall be asked")
        }
        return (circle, fields)
    }

    // MARK: Secrets

    private mutating func credentials(_ node: Node, _ name: String) -> CHAPCredentials? {
        let keys = ["user", "secret", "secret_file", "mutual_user", "mutual_secret", "mutual_secret_file"]
        guard let fields = mapping(node, name, keys) else { return nil }
        guard let secret = secret(fields, "secret", node, name) else { return nil }
        var mutual: CHAPCredentials.Mutual?
        if fields.keys.contains(where: { $0.hasPrefix("mutual_") }) {
            guard let secret = self.secret(fields, "mutual_secret", node, name) else { return nil }
            mutual = .init(userName: fields["mutual_user"]?.scalar?.string, secret: secret)
        }
        let policy = CHAPSecretPolicy(
            minimumByteCount: CHAPSecretPolicy.shortest, maximumByteCount: longestSecret)
        do throws(CHAPCredentialsError) {
            return try CHAPCredentials(
                userName: fields["user"]?.scalar?.string, secret: secret, mutual: mutual, policy: policy)
        } catch {
            refuse(node, name, "\(error)")
            return nil
        }
    }

    /// From the field itself or from the file that `<field>_file` names.
    private mutating func secret(
        _ fields: [String: Node], _ field: String, _ node: Node, _ name: String
    ) -> CHAPSecret? {
        switch (fields[field], fields[field + "_file"]) {
        case (let value?, nil):
            guard let text = value.scalar?.string, !text.isEmpty else {
                refuse(value, "\(name).\(field)", "is not a text")
                return nil
            }
            hasSecretInside = true
            return CHAPSecret(text)
        case (nil, let value?):
            return secret(inFile: value, "\(name).\(field)_file")
        default:
            refuse(node, name, "needs \(field) or \(field)_file, one of them")
            return nil
        }
    }

    private mutating func secret(inFile node: Node, _ name: String) -> CHAPSecret? {
        guard let text = node.scalar?.string, !text.isEmpty else {
            refuse(node, name, "is not a path")
            return nil
        }
        let file = DirectoryPath(text, relativeTo: DirectoryPath(path).parent.path).path
        do throws(SystemError) {
            var bytes = try Platform.FileSystem.readFile(file, limit: 4096)
            while bytes.last == 0x0A || bytes.last == 0x0D { bytes.removeLast() }
            checkMode(of: file, place: name)
            return CHAPSecret(bytes)
        } catch {
            refuse(node, name, "\(file) cannot be read: \(error.reason)")
            return nil
        }
    }

    private mutating func checkMode(of file: String, place: String) {
        var status = stat()
        guard unsafe stat(file, &status) == 0, status.st_mode & 0o007 != 0 else { return }
        let mode = String(status.st_mode & 0o777, radix: 8)
        problems.append(
            .init(
                place: place, key: "",
                reason: "\(file) holds secrets and is open to all users (mode \(mode)): "
                    + "chmod 600 \(file)"))
    }

    // MARK: Parts of YAML

    /// Without the text, as errors quote it: there may be secrets in it.
    private static func reason(of error: any Error) -> String {
        switch error as? YamlError {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            "line \(mark.line), column \(mark.column): \(problem)"
        case .reader(let problem, let offset, _, _): "at byte \(offset ?? 0): \(problem)"
        case .duplicatedKeysInMapping: "a mapping has the same key twice"
        default: "it cannot be parsed"
        }
    }

    private mutating func mapping(_ node: Node, _ name: String, _ keys: [String]) -> [String: Node]? {
        guard case .mapping(let mapping) = node else {
            refuse(node, name, "is not a mapping with the keys \(keys.joined(separator: ", "))")
            return nil
        }
        var fields: [String: Node] = [:]
        for (key, value) in mapping {
            guard let word = key.scalar?.string, keys.contains(word) else {
                refuse(key, name, "unknown key \(key.scalar?.string ?? ""); there are \(keys.joined(separator: ", "))")
                continue
            }
            fields[word] = value
        }
        return fields
    }

    private mutating func list(_ node: Node?, _ name: String) -> [Node] {
        guard let node else { return [] }
        if case .sequence(let sequence) = node { return Array(sequence) }
        refuse(node, name, "is not a list")
        return []
    }

    /// One word or a list of words.
    private mutating func words(_ node: Node?, _ name: String) -> [String] {
        guard let node else { return [] }
        if let scalar = node.scalar, !scalar.string.isEmpty { return [scalar.string] }
        let items = list(node, name)
        let words = items.compactMap { $0.scalar?.string }
        if words.count < items.count || words.isEmpty { refuse(node, name, "is not a list of words, at least one") }
        return words
    }

    private mutating func refuse(_ node: Node?, _ key: String, _ reason: String) {
        let place = node?.mark.map { "\(path):\($0.line)" } ?? path
        problems.append(.init(place: place, key: key, reason: reason))
    }
}
