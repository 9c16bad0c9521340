// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import ServiceKit

@main
struct CLIMain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sluice",
        abstract: "A self-hosted volume gateway: iSCSI volumes whose data lives in a bucket.",
        discussion: """
            Examples:
              sluice up --directory data                 start a whole gateway in one directory
              sluice volume create db --size 10GiB       make a volume and print its iSCSI address
              sluice status                              what is dirty, how old, what each service does
              sluice snapshot create db                  keep the volume as it is now
              sluice export --bucket file:///data/bucket --volume db -o db.img
                                                         read a volume from the bucket, without a gateway

            Commands that talk to a running gateway find it through its configuration: --directory DIR (as given to
            `sluice up`), --config FILE, or \(GatewayConfiguration.defaultPath).
            """,
        version: SoftwareVersion.current,
        subcommands: [
            Up.self, VolumeCommand.self, SnapshotCommand.self, CacheCommand.self, StatusCommand.self,
            InitiatorsCommand.self, DisconnectCommand.self, ExportCommand.self, ConfigCommand.self,
            KeysCommand.self, DoctorCommand.self,
        ])

    static func main() async { await CommandLineProgram.run(CLIMain.self) }
}
