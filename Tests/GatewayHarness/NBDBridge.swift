// SPDX-License-Identifier: Apache-2.0
import Foundation

/// qemu's iSCSI client with an NBD server on top, for clients that speak only that, such as fio. Nothing in between
/// keeps or joins data.
package final class NBDBridge {
    package let uri: String
    private let process: Process

    /// Listens when it returns.
    package init(to volume: String, of gateway: GatewayUnderTest) throws {
        let socket = gateway.path("nbd.sock").path
        uri = "nbd+unix:///?socket=\(socket)"
        process = GatewayUnderTest.process(
            "qemu-nbd",
            ["-f", "raw", "--cache=none", "--discard=unmap", "-e", "8", "-t", "-k", socket, gateway.url(volume)])
        try process.run()
        do {
            try gateway.wait("qemu-nbd listens", seconds: 20) { FileManager.default.fileExists(atPath: socket) }
        } catch {
            stop()
            throw error
        }
    }

    package func stop() {
        process.terminate()
        process.waitUntilExit()
    }
}
