// SPDX-License-Identifier: Apache-2.0
package import ArgumentParser

/// The options that say where the settings come from; the same for every program.
package struct ConfigurationOptions: ParsableArguments {
    @Option(name: .long, help: "The configuration file (default: \(GatewayConfiguration.defaultPath)).")
    package var config: String?

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp("Overrides one key, such as journal.size=4GiB. May be repeated.", valueName: "key=value"))
    package var overrides: [String] = []

    package init() {}

    package var loader: ConfigurationLoader {
        ConfigurationLoader(
            path: config, environment: ProcessEnvironment.current, overrides: overrides,
            workingDirectory: ProcessEnvironment.workingDirectory)
    }
}
