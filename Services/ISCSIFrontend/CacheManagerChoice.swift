// SPDX-License-Identifier: Apache-2.0
import Bus
import Messages
import ServiceKit

/// Which cache manager this frontend works with: the first that runs. All that knows of the choice is here.
struct CacheManagerChoice: Sendable {
    private let directory: ServiceDirectory
    /// Where the first one of this machine will be, so that a frontend which is there earlier connects to it at once.
    private let expected: Endpoint?

    init(_ directory: ServiceDirectory, _ runDirectory: RunDirectory) throws {
        self.directory = directory
        let first = runDirectory.path.appending("\(ServiceKind.cache.shortName)-0.data.sock")
        expected = directory.isNetwork ? nil : try Endpoint(path: first)
    }

    /// Where it takes I/O: of the running one, else where the last one was. Does not wait.
    var endpoint: Endpoint? {
        let known = ((try? directory.current(of: .cache)) ?? []).filter { $0.dataEndpoint != nil }
        return (known.first(where: \.isRunning) ?? known.first)?.dataEndpoint ?? expected
    }
}
