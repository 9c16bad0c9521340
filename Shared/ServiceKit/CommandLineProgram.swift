// SPDX-License-Identifier: Apache-2.0
package import ArgumentParser
import Glibc

/// The frame around every program of this package: its last line on standard error says what is wrong, its exit
/// status is one of `ServiceExitCode`.
package enum CommandLineProgram {
    package static func run<Command: ParsableCommand>(_ type: Command.Type) async {
        do {
            var command = try Command.parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            end(type, with: error)
        }
    }

    private static func end<Command: ParsableCommand>(_ type: Command.Type, with error: any Error) -> Never {
        // `--help`, `--version` and mistakes on the command line: the parser has the words and the status.
        guard !isOfParser(error) else { Command.exit(withError: error) }
        let failure = ServiceFailure(describing: error)
        StandardError.write("\(Command._commandName): \(failure.message)\n")
        exit(failure.exitCode.rawValue)
    }

    private static func isOfParser(_ error: any Error) -> Bool {
        if error is ExitCode || error is CleanExit || error is ValidationError { return true }
        return String(reflecting: type(of: error)).hasPrefix("ArgumentParser.")
    }
}
