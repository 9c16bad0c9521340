// SPDX-License-Identifier: Apache-2.0
import Platform
import Yams

/// Where settings come from, weakest first: defaults, the file, environment variables, `--set key=value`.
package struct ConfigurationLoader: Sendable {
    /// nil: `GatewayConfiguration.defaultPath` if it exists, else defaults and environment only.
    package var path: String?
    package var environment: [String: String]
    /// `key=value` texts of the command line.
    package var overrides: [String]
    /// Absolute; where relative paths of the environment and the command line start.
    package var workingDirectory: String

    package init(path: String?, environment: [String: String], overrides: [String], workingDirectory: String) {
        self.path = path
        self.environment = environment
        self.overrides = overrides
        self.workingDirectory = workingDirectory
    }

    /// The bus's own, for people who look for a fault; no setting.
    private static let traceVariable = "SLUICE_BUS_TRACE"

    /// One setting as found, before it is known whether it means anything.
    private struct Entry {
        var place: String
        var key: String
        var texts: [String]
        var isList: Bool
        var baseDirectory: String
    }

    /// Reads, parses and checks everything but the directories (`GatewayConfiguration.checkDirectories`).
    package func load() throws(ConfigurationError) -> GatewayConfiguration {
        var problems: [ConfigurationError.Problem] = []
        var entries: [Entry] = []
        if let file = try fileToRead() {
            let text = try Self.read(file)
            entries += try parse(text, file: file, problems: &problems)
        }
        entries += environmentEntries(problems: &problems)
        entries += overrideEntries(problems: &problems)
        var configuration = GatewayConfiguration()
        for entry in entries {
            if let problem = Self.apply(entry, to: &configuration) { problems.append(problem) }
        }
        if problems.isEmpty, configuration.journalVolumeBuffer > configuration.journalSize {
            problems.append(
                .init(
                    place: "", key: "journal.volume_buffer",
                    reason: "\(configuration.journalVolumeBuffer.configurationText) is more than journal.size "
                        + "(\(configuration.journalSize.configurationText)), which all volumes share"))
        }
        if problems.isEmpty, configuration.iscsiFirstBurst > configuration.iscsiMaxBurst {
            problems.append(
                .init(
                    place: "", key: "iscsi.first_burst",
                    reason: "\(configuration.iscsiFirstBurst.configurationText) is more than iscsi.max_burst "
                        + "(\(configuration.iscsiMaxBurst.configurationText))"))
        }
        let fewest = ByteSize(byteCount: 4 * configuration.journalSegmentSize.byteCount)
        if problems.isEmpty, configuration.journalVolumeBuffer < fewest {
            problems.append(
                .init(
                    place: "", key: "journal.volume_buffer",
                    reason: "\(configuration.journalVolumeBuffer.configurationText) is less than four times "
                        + "journal.segment_size (\(fewest.configurationText)), so a journal could not turn over"))
        }
        let share = configuration.cacheSize.byteCount / UInt64(configuration.cacheDirectories.count)
        if problems.isEmpty, share < GatewayConfiguration.smallestCacheDirectory.byteCount {
            problems.append(
                .init(
                    place: "", key: "cache.size",
                    reason: "\(configuration.cacheSize.configurationText) leaves each of the "
                        + "\(configuration.cacheDirectories.count) cache.directories \(ByteSize(byteCount: share)); "
                        + "at least \(GatewayConfiguration.smallestCacheDirectory.configurationText) are needed"))
        }
        guard problems.isEmpty else { throw ConfigurationError(problems) }
        return configuration
    }

    /// The file that `load` reads, if any.
    package func fileToRead() throws(ConfigurationError) -> String? {
        if let path = path ?? environment["SLUICE_CONFIG"] {
            return DirectoryPath(path, relativeTo: workingDirectory).path
        }
        return FileSystem.exists(GatewayConfiguration.defaultPath) ? GatewayConfiguration.defaultPath : nil
    }

    private static func read(_ file: String) throws(ConfigurationError) -> String {
        let bytes: [UInt8]
        do {
            bytes = try FileSystem.readFile(file, limit: 1 << 20)
        } catch {
            throw ConfigurationError(place: file, reason: "cannot be read: \(error.reason)")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ConfigurationError(place: file, reason: "is not UTF-8 text")
        }
        return text
    }

    private static func apply(
        _ entry: Entry, to configuration: inout GatewayConfiguration
    ) -> ConfigurationError.Problem? {
        guard let key = GatewayConfiguration.key(named: entry.key) else {
            return .init(place: entry.place, key: entry.key, reason: "unknown key" + suggestion(for: entry.key))
        }
        guard key.isList || !entry.isList else {
            return .init(place: entry.place, key: entry.key, reason: "takes one \(key.kindName), not a list")
        }
        do {
            try key.store(&configuration, entry.texts, entry.baseDirectory)
            return nil
        } catch {
            return .init(place: entry.place, key: entry.key, reason: error.reason)
        }
    }

    private static func suggestion(for name: String) -> String {
        let names = GatewayConfiguration.keys.map(\.name)
        let ranked = names.map { (name: $0, distance: EditDistance.between(name, $0)) }
        guard let nearest = ranked.min(by: { $0.distance < $1.distance }), nearest.distance <= max(3, name.count / 3)
        else { return "; `sluice config keys` lists all" }
        return "; did you mean \(nearest.name)?"
    }
}

// The three sources.
extension ConfigurationLoader {
    private func parse(
        _ text: String, file: String, problems: inout [ConfigurationError.Problem]
    ) throws(ConfigurationError) -> [Entry] {
        let root: Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch {
            throw ConfigurationError(place: Self.place(of: error, in: file), reason: Self.reason(of: error))
        }
        guard let root, root != Node("", Tag(.null)) else { return [] }
        guard case .mapping = root else {
            throw ConfigurationError(place: file, reason: "is not a YAML mapping of keys to values")
        }
        var entries: [Entry] = []
        flatten(root, name: "", file: file, depth: 0, into: &entries, problems: &problems)
        var seen: [String: String] = [:]
        for entry in entries {
            if let first = seen.updateValue(entry.place, forKey: entry.key) {
                problems.append(.init(place: entry.place, key: entry.key, reason: "is already set at \(first)"))
            }
        }
        return entries
    }

    private func flatten(
        _ node: Node, name: String, file: String, depth: Int, into entries: inout [Entry],
        problems: inout [ConfigurationError.Problem]
    ) {
        let place = node.mark.map { "\(file):\($0.line)" } ?? file
        let base = DirectoryPath(file).parent.path
        switch node {
        case .mapping(let mapping):
            guard depth < 8, GatewayConfiguration.key(named: name) == nil else {
                problems.append(.init(place: place, key: name, reason: "takes a value, not further keys"))
                return
            }
            for (key, value) in mapping {
                guard let part = key.scalar?.string else {
                    problems.append(.init(place: place, key: name, reason: "holds a key that is not a word"))
                    continue
                }
                flatten(
                    value, name: name.isEmpty ? part : name + "." + part, file: file, depth: depth + 1,
                    into: &entries, problems: &problems)
            }
        case .sequence(let sequence):
            let texts = sequence.compactMap { $0.scalar?.string }
            if texts.count < sequence.count {
                problems.append(.init(place: place, key: name, reason: "is a list of something else than words"))
            }
            entries.append(Entry(place: place, key: name, texts: texts, isList: true, baseDirectory: base))
        case .scalar(let scalar):
            if scalar.style == .plain, ["", "~", "null"].contains(scalar.string) {
                problems.append(.init(place: place, key: name, reason: "has no value; remove the key for its default"))
            } else {
                entries.append(
                    Entry(place: place, key: name, texts: [scalar.string], isList: false, baseDirectory: base))
            }
        case .alias:
            problems.append(.init(place: place, key: name, reason: "is a YAML alias, which is not supported here"))
        }
    }

    private static func place(of error: any Error, in file: String) -> String {
        switch error as? YamlError {
        case .scanner(_, _, let mark, _), .parser(_, _, let mark, _), .composer(_, _, let mark, _):
            "\(file):\(mark.line)"
        default: file
        }
    }

    private static func reason(of error: any Error) -> String {
        switch error as? YamlError {
        case .scanner(_, let problem, _, _), .parser(_, let problem, _, _), .composer(_, let problem, _, _):
            "is not YAML: \(problem)"
        case .duplicatedKeysInMapping(let duplicates, _):
            "a key stands twice: \(duplicates.map { "\($0)" }.sorted().joined(separator: ", "))"
        default: "is not YAML: \(error)"
        }
    }

    private func environmentEntries(problems: inout [ConfigurationError.Problem]) -> [Entry] {
        let keys = Dictionary(uniqueKeysWithValues: GatewayConfiguration.keys.map { ($0.environmentVariable, $0) })
        let sections = Set(GatewayConfiguration.keys.compactMap { $0.name.split(separator: ".").first?.uppercased() })
        var entries: [Entry] = []
        for (variable, text) in environment.sorted(by: { $0.key < $1.key }) where variable.hasPrefix("SLUICE_") {
            let place = "environment variable \(variable)"
            if let key = keys[variable] {
                let texts = key.isList ? text.split(separator: ",").map(Self.trimmed) : [text]
                entries.append(
                    Entry(
                        place: place, key: key.name, texts: texts, isList: key.isList,
                        baseDirectory: workingDirectory))
                continue
            }
            let parts = variable.dropFirst("SLUICE_".count).split(separator: "_", maxSplits: 1).map(String.init)
            // Kubernetes sets SLUICE_CACHE_SERVICE_HOST, SLUICE_CACHE_PORT… for a service of that name.
            guard parts.count == 2, sections.contains(parts[0]), variable != Self.traceVariable,
                !parts[1].hasPrefix("SERVICE_"),
                !parts[1].hasPrefix("PORT")
            else { continue }
            let name = parts.joined(separator: ".").lowercased()
            problems.append(.init(place: place, key: name, reason: "unknown key" + Self.suggestion(for: name)))
        }
        return entries
    }

    private func overrideEntries(problems: inout [ConfigurationError.Problem]) -> [Entry] {
        overrides.compactMap { text in
            guard let equals = text.firstIndex(of: "=") else {
                problems.append(.init(place: "--set", key: text, reason: "write key=value"))
                return nil
            }
            let name = String(text[..<equals])
            let value = String(text[text.index(after: equals)...])
            let isList = GatewayConfiguration.key(named: name)?.isList ?? false
            return Entry(
                place: "--set", key: name,
                texts: isList ? value.split(separator: ",").map(Self.trimmed) : [value],
                isList: isList, baseDirectory: workingDirectory)
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text.drop { $0 == " " }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
