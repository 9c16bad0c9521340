// SPDX-License-Identifier: Apache-2.0
import Engine
import Synchronization
import Wire

/// Copies of records, so that who looks at all of them again and again reads only what may have changed. `deleting` is
/// final, and `completed` changes only into it or in its pins: those may be some minutes old. All others are read
/// each time. Any thread.
final class RecordMemory: Sendable {
    private struct Copy {
        var entry: SnapshotCatalogue.Entry
        var moment: ContinuousClock.Instant
    }
    private struct State {
        var copies: [SnapshotID: Copy] = [:]
        /// Rises with each change made here: what was read before it is not kept.
        var revision = 0
    }
    private let state = Mutex(State())

    func entries(
        maximumAge age: Duration
    ) -> (entries: [SnapshotID: SnapshotCatalogue.Entry], revision: Int) {
        let oldest = ContinuousClock.now - age
        return state.withLock { state in
            (state.copies.filter { $0.value.moment > oldest }.mapValues(\.entry), state.revision)
        }
    }

    /// - Parameter ids: those that there are; the others are forgotten.
    func keep(ids: [SnapshotID], read entries: [SnapshotCatalogue.Entry], revision: Int) {
        let (ids, moment) = (Set(ids), ContinuousClock.now)
        state.withLock { state in
            state.copies = state.copies.filter { ids.contains($0.key) }
            guard state.revision == revision else { return }
            for entry in entries {
                guard case .record(let record) = entry, record.state == .completed || record.state == .deleting else {
                    state.copies[entry.id] = nil
                    continue
                }
                state.copies[record.id] = Copy(entry: entry, moment: moment)
            }
        }
    }

    /// It was changed here.
    func forget(_ id: SnapshotID) {
        state.withLock { state in
            state.copies[id] = nil
            state.revision += 1
        }
    }
}
