// SPDX-License-Identifier: Apache-2.0
import Foundation
import Glibc

/// Another frontend of a running gateway, beside the supervisor's: a second portal of every target.
package final class SecondFrontend {
    package let portal: UInt16
    private let gateway: GatewayUnderTest
    private var process: Process?

    package init(_ gateway: GatewayUnderTest) throws {
        self.gateway = gateway
        portal = GatewayUnderTest.freePort()
        try start()
    }

    package func url(_ volume: String) -> String { "iscsi://127.0.0.1:\(portal)/\(gateway.target(volume))/0" }

    /// After `kill`, or for the first time.
    package func start() throws {
        let process = GatewayUnderTest.process(
            gateway.binaries.appendingPathComponent("sluice-iscsi").path,
            ["--config", gateway.configurationFile.path, "--set", "iscsi.listen=127.0.0.1:\(portal)"])
        process.standardError = FileHandle.nullDevice
        try process.run()
        self.process = process
        try gateway.wait("the second portal offers targets", seconds: 20) {
            let list = try? GatewayUnderTest.run("iscsi-ls", ["iscsi://127.0.0.1:\(portal)"])
            return list?.output.contains("iqn.") ?? false
        }
    }

    package var processIdentifier: Int32? { process?.processIdentifier }

    package func kill() {
        guard let process else { return }
        Glibc.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
        self.process = nil
    }
}
