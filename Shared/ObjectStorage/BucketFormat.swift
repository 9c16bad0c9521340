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
        let bytes: [UInt8]
        do {
            bytes = try await get(key).bytes
        } catch {
            if case .notFound = error { return false }
            throw error
        }
        if let refusal = judge(bytes) { throw .refused(refusal) }
        return true
    }
}
