// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Platform
import ServiceKit

/// Which gateway a command means.
struct GatewayOptions: ParsableArguments {
    @Option(name: .long, help: "The directory of a gateway that was started with `sluice up --directory`.")
    var directory: String?

    @OptionGroup var configuration: ConfigurationOptions

    func validate() throws {
        if directory != nil && configuration.config != nil {
            throw ValidationError("--directory and --config both name a configuration; give one of them")
        }
    }

    var loader: ConfigurationLoader {
        var loader = configuration.loader
        if let embedded { loader.path = embedded.configurationPath }
        return loader
    }

    /// For everything but `up`, which makes the directory.
    func loadExisting() throws -> GatewayConfiguration {
        if let directory, let embedded, !FileSystem.exists(embedded.configurationPath) {
            throw ServiceFailure(
                .configuration,
                "\(directory) is no gateway's directory: it has no gateway.yaml; `sluice up --directory \(directory)` "
                    + "makes one")
        }
        return try loader.load()
    }

    var embedded: EmbeddedDirectory? {
        directory.map { EmbeddedDirectory(DirectoryPath($0, relativeTo: ProcessEnvironment.workingDirectory)) }
    }
}

/// How a command prints.
struct OutputOptions: ParsableArguments {
    @Flag(name: .long, help: "Print one JSON document instead of a table.")
    var json = false

    func show(_ record: @autoclosure () -> some Encodable, or text: @autoclosure () -> String) throws {
        print(json ? try JSONOutput.text(record()) : text(), terminator: "")
    }
}

extension ByteSize: ExpressibleByArgument {
    package init?(argument: String) {
        guard let size = try? ByteSize.parse(argument) else { return nil }
        self = size
    }
}

/// A duration on the command line: `10s`, `5m`.
struct DurationArgument: ExpressibleByArgument {
    let duration: Duration
    init(_ duration: Duration) { self.duration = duration }
    init?(argument: String) {
        guard let duration = try? Duration.parse(argument) else { return nil }
        self.duration = duration
    }
    var defaultValueDescription: String { duration.configurationText }
}
