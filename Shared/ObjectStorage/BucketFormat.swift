// SPDX-License-Identifier: Apache-2.0
package import Wire

/// The first thing that a program does with a bucket: find out whether it may use it (STORAGE §2). The marker's
/// contents are the engine's; here is only who writes it, when, and that nobody writes over it.
extension ObjectStore {
    /// Reads the format marker, or writes it if the bucket is new. Many programs may start on a new bucket at once.
    ///
    /// - Parameters:
    ///   - marker: what to write into a new bucket.
    ///   - judge: why a marker that was found is not acceptable, or nil.
    package func claimFormat(
        _ key: ObjectKey, marker: [UInt8], judge: ([UInt8]) -> ObjectStoreError.Refusal?
    ) async throws(ObjectStoreError) {
        if try await acceptsFormat(key, judge: judge) { return }
        do {
            _ = try await put(key, marker, .absent)
            return
        } catch {
            switch error {
            // Another program was faster, or our own write went through unheard: what is there now decides.
            case .preconditionFailed, .conflict, .ambiguous: break
            case .notFound, .unavailable, .corrupt, .refused, .invalidKey: throw error
            }
            guard try await acceptsFormat(key, judge: judge) else { throw error }
        }
    }

    /// - Returns: false if the bucket has no marker.
    package func acceptsFormat(
        _ key: ObjectKey, judge: ([UInt8]) -> ObjectStoreError.Refusal?
    ) async throws(ObjectStoreError) -> Bool {
        // A marker that cannot be used stops the whole gateway, so a damaged answer has to come more than once.
        var damagesLeft = 2
        while true {
            let failure: ObjectStoreError
            do {
                guard let refusal = judge(try await get(key).bytes) else { return true }
                failure = .refused(refusal)
            } catch { failure = error }
            switch failure {
            case .notFound: return false
            case .corrupt where damagesLeft > 0, .refused(.unreadableFormat) where damagesLeft > 0,
                .refused(.newerFormat) where damagesLeft > 0:
                damagesLeft -= 1
            default: throw failure
            }
        }
    }
}
