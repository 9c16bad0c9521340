// SPDX-License-Identifier: Apache-2.0
import Bus
import Messages
import ServiceKit

/// Where the gateway's cache managers take I/O.
struct CacheManagerPlaces: Sendable {
    private let directory: ServiceDirectory
    /// Where the first one of this machine will be, so that a frontend which is there earlier connects to it at once.
    private let expected: Endpoint?

    init(_ directory: ServiceDirectory, _ runDirectory: RunDirectory) throws {
        self.directory = directory
        let first = runDirectory.path.appending("\(ServiceKind.cache.shortName)-0.data.sock")
        expected = directory.isNetwork ? nil : try Endpoint(path: first)
    }

    /// Also of those that are being started again. Does not wait.
    var endpoints: [Endpoint] {
        let known = ((try? directory.current(of: .cache)) ?? []).compactMap(\.dataEndpoint)
        return known.isEmpty ? [expected].compactMap(\.self) : known
    }
}
