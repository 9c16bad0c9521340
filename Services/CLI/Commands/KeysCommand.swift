// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Bus
import ServiceKit

struct KeysCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys",
        abstract: "Make and show the keys with which services of several machines know each other.",
        subcommands: [KeysCreate.self, KeysShow.self])
}

struct KeysCreate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Make a key pair for every kind of service.",
        discussion: """
            Writes KIND.key, which is secret, and KIND.pub for each kind into a new or empty directory. Needs no \
            configuration and no gateway. Each machine gets all *.pub, and the .key of the kinds that run there.

            Example: sluice keys create --directory keys
            """)
    @Option(name: .long, help: "Where to put them (default: \(GatewayConfiguration().busKeysDirectory)).")
    var directory: String?

    func run() throws {
        let path = directory.map { DirectoryPath($0, relativeTo: ProcessEnvironment.workingDirectory) }
        let keys = BusKeyDirectory(path ?? GatewayConfiguration().busKeysDirectory)
        try keys.create()
        let (entries, _) = keys.contents()
        print(
            """
            \(entries.count.counted("key pair")) in \(keys.path), one for each kind of service.
            Give each machine all *.pub files and the .key files of what runs there, owned by the user that runs it.
            """)
    }
}

struct KeysShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "List the keys, and what is wrong with them.",
        discussion: """
            Never prints a secret key. Fingerprints are the same on each machine. Exits with 78 if something is wrong.

            Example: sluice keys show --directory keys
            """)
    @Option(name: .long, help: "Where the keys are (default: bus.keys_directory of the configuration).")
    var directory: String?
    @OptionGroup var configuration: ConfigurationOptions
    @OptionGroup var output: OutputOptions

    /// What `--json` shows. Names are a promise to scripts.
    struct Record: Encodable {
        struct Key: Encodable {
            var kind: String
            var publicKey: String?
            var fingerprint: String?
            /// The secret key is here, too.
            var secret: Bool
            var problems: [String]
        }
        var directory: String
        var keys: [Key]
        var problems: [String]
    }

    func run() throws {
        let path = directory.map { DirectoryPath($0, relativeTo: ProcessEnvironment.workingDirectory) }
        let keys = BusKeyDirectory(try path ?? configuration.loader.load().busKeysDirectory)
        let record = Self.record(keys)
        try output.show(record, or: Self.text(record))
        let hasProblems = !record.problems.isEmpty || record.keys.contains { !$0.problems.isEmpty }
        if hasProblems { throw ExitCode(ServiceExitCode.configuration.rawValue) }
    }

    static func record(_ directory: BusKeyDirectory) -> Record {
        let (entries, problems) = directory.contents()
        let keys = entries.map { entry in
            Record.Key(
                kind: entry.kind.shortName, publicKey: entry.publicKey?.text, fingerprint: entry.publicKey?.fingerprint,
                secret: entry.secretKey != nil, problems: entry.problems)
        }
        return Record(directory: directory.path.path, keys: keys, problems: problems)
    }

    static func text(_ record: Record) -> String {
        var table = Table(["KIND", "PUBLIC KEY", "FINGERPRINT", "SECRET KEY"])
        for key in record.keys {
            table.add([key.kind, key.publicKey ?? "", key.fingerprint ?? "", key.secret ? "here" : ""])
        }
        let problems = record.problems + record.keys.flatMap(\.problems)
        return table.render() + problems.map { "problem: \($0)\n" }.joined()
    }
}
