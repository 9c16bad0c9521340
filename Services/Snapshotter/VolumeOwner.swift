// SPDX-License-Identifier: Apache-2.0
package import Messages
import ServiceKit

/// A cache manager as the snapshotter sees it: whoever owns volumes and is asked to cut them.
package protocol VolumeOwner: Sendable {
    func ask<Request: BusRequest>(_ request: Request, within timeout: Duration) async throws(BusFault) -> Request.Reply
}

extension VolumeOwner {
    /// The answer, or why there is none. A function of its own, not a `do throws` in the closure of a task: of such a
    /// closure optimised code has lost the other parts of what it returned (Swift 6.3).
    func answer<Request: BusRequest>(
        to request: Request, within timeout: Duration
    ) async -> Result<Request.Reply, BusFault> {
        do throws(BusFault) {
            return .success(try await ask(request, within: timeout))
        } catch {
            return .failure(error)
        }
    }
}

/// Those that run now. Asked anew each time: nobody keeps a list of them.
package typealias VolumeOwners = @Sendable () async throws(BusFault) -> [any VolumeOwner]

/// A cache manager of the gateway.
struct CacheManager: VolumeOwner {
    private let entry: ServiceEntry
    private let caller: any ServiceCaller

    func ask<Request: BusRequest>(
        _ request: Request, within timeout: Duration
    ) async throws(BusFault) -> Request.Reply {
        try await caller.call(request, at: entry, timeout: timeout)
    }

    static func all(
        in directory: ServiceDirectory, caller: any ServiceCaller
    ) async throws(BusFault) -> [any VolumeOwner] {
        let entries: [ServiceEntry]
        do {
            entries = try await directory.entries(of: .cache)
        } catch {
            throw BusFault(.internalError, "the run directory cannot be read: \(error)")
        }
        guard !entries.isEmpty else {
            throw BusFault(
                .notReady, "no cache manager runs \(directory.description); start it (sluice-cache, or sluice up)")
        }
        return entries.map { CacheManager(entry: $0, caller: caller) }
    }
}
