// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import ServiceKit

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "Check the configuration; list what can be configured and watched.",
        subcommands: [ConfigCheck.self, ConfigKeys.self, ConfigMetrics.self])
}

struct ConfigCheck: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check the file, the environment and the directories, and print what results.",
        discussion: """
            Exits with 78 and names every mistake, with file and line, if there is one.

            Example: sluice config check --config gateway.yaml --set journal.size=32GiB
            """)
    @OptionGroup var gateway: GatewayOptions
    @OptionGroup var output: OutputOptions

    func run() throws {
        let loader = gateway.loader
        let configuration = try gateway.loadExisting()
        try configuration.checkDirectories(DirectoryUse.allCases)
        try configuration.checkMemory()
        let values = GatewayConfiguration.keys.map { ($0.name, $0.text(in: configuration)) }
        let file = try loader.fileToRead() ?? "no file"
        let lines = values.map { "\($0): \($1)\n" }.joined()
        try output.show(
            Dictionary(uniqueKeysWithValues: values), or: "# \(file) and environment: no mistakes\n" + lines)
    }
}

struct ConfigKeys: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "List every key with its variable, default, range and meaning.")
    @Flag(name: .long, help: "Print the table of docs/OPERATIONS.md.") var markdown = false
    @OptionGroup var output: OutputOptions

    /// A key as `--json` shows it. Names are a promise to scripts.
    private struct Record: Encodable {
        var key: String
        var environment: String
        var kind: String
        var `default`: String
        var range: String
        var help: String
    }

    func run() throws {
        if markdown { return print(GatewayConfiguration.keys.map(\.markdownRow).joined(separator: "\n")) }
        let defaults = GatewayConfiguration()
        let records = GatewayConfiguration.keys.map { key in
            Record(
                key: key.name, environment: key.environmentVariable,
                kind: key.isList ? "list of \(key.kindName)" : key.kindName, default: key.text(in: defaults),
                range: key.rangeText, help: key.help)
        }
        try output.show(records, or: Self.text(records))
    }

    private static func text(_ records: [Record]) -> String {
        records.map { record in
            let range = record.range.isEmpty ? "" : ", \(record.range)"
            let fallback = record.default.isEmpty ? "none" : record.default
            return """
                \(record.key)  (\(record.environment))
                    \(record.help)
                    \(record.kind)\(range); default: \(fallback)

                """
        }.joined()
    }
}
