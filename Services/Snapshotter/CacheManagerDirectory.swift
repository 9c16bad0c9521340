// SPDX-License-Identifier: Apache-2.0
import Messages
import ServiceKit

/// Finds the cache manager that owns a volume by asking those of the run directory: each volume has one owner, and
/// nobody else needs to keep a list of them.
struct CacheManagerDirectory: Sendable {
    /// A cut waits for the running commit and for its own; longer means that the bucket hangs.
    private static let cutTimeout = Duration.seconds(120)
    private let runDirectory: RunDirectory
    private let caller: any ServiceCaller

    init(runDirectory: RunDirectory, caller: any ServiceCaller) {
        self.runDirectory = runDirectory
        self.caller = caller
    }

    func cut(_ request: VolumeCutRequest) async throws(BusFault) -> VolumeCutRequest.Reply {
        let entries: [RunDirectory.Entry]
        do {
            entries = try runDirectory.entries(of: .cache)
        } catch {
            throw BusFault(.internalError, "the run directory cannot be read: \(error)")
        }
        var unknown = BusFault(
            .notReady, "no cache manager runs in \(runDirectory.path); start it (sluice-cache, or sluice up)")
        for entry in entries {
            do {
                return try await caller.call(request, at: entry, timeout: Self.cutTimeout)
            } catch {
                guard error.code == .unknownVolume else { throw error }
                unknown = error
            }
        }
        throw unknown
    }
}
