// SPDX-License-Identifier: Apache-2.0
package import Messages
import ServiceKit

/// A cache manager as the snapshotter sees it: whoever owns volumes and is asked to cut them.
package protocol VolumeOwner: Sendable {
    func ask<Request: BusRequest>(_ request: Request, within timeout: Duration) async throws(BusFault) -> Request.Reply
}

/// Those that run now. Asked anew each time: nobody keeps a list of them.
package typealias VolumeOwners = @Sendable () throws(BusFault) -> [any VolumeOwner]

/// A cache manager of the run directory.
struct CacheManager: VolumeOwner {
    private let entry: RunDirectory.Entry
    private let caller: any ServiceCaller

    func ask<Request: BusRequest>(
        _ request: Request, within timeout: Duration
    ) async throws(BusFault) -> Request.Reply {
        try await caller.call(request, at: entry, timeout: timeout)
    }

    static func all(in runDirectory: RunDirectory, caller: any ServiceCaller) throws(BusFault) -> [any VolumeOwner] {
        let entries: [RunDirectory.Entry]
        do {
            entries = try runDirectory.entries(of: .cache)
        } catch {
            throw BusFault(.internalError, "the run directory cannot be read: \(error)")
        }
        guard !entries.isEmpty else {
            throw BusFault(
                .notReady, "no cache manager runs in \(runDirectory.path); start it (sluice-cache, or sluice up)")
        }
        return entries.map { CacheManager(entry: $0, caller: caller) }
    }
}
