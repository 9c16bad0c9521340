// SPDX-License-Identifier: Apache-2.0
import Platform
import Synchronization

/// One name of `bus.services` with the addresses that it stood for when it was looked up last. Each look-up runs on a
/// thread of its own, one at a time: a name server that is silent holds up nobody, and no other name.
final class ServiceName: Sendable {
    private struct State {
        var addresses: [SocketAddress] = []
        var problem = "not looked up yet"
        var answeredAt: MonotonicInstant?
        /// When the look-up that runs now began.
        var askedAt: MonotonicInstant?
    }

    /// Replicas that come and go are noticed after this.
    static let interval = Duration.seconds(3)

    let place: ServicePlace
    private let resolver: ServiceDirectory.Resolver
    private let now: @Sendable () -> MonotonicInstant
    private let state = Mutex(State())

    init(
        _ place: ServicePlace, resolver: @escaping ServiceDirectory.Resolver,
        now: @escaping @Sendable () -> MonotonicInstant
    ) {
        self.place = place
        self.resolver = resolver
        self.now = now
    }

    /// Why there is no address, if there is none.
    var known: (addresses: [SocketAddress], problem: String) { state.withLock { ($0.addresses, $0.problem) } }

    /// Is an answer due that has not been waited for in vain already?
    func isWorthWaiting(_ patience: Duration) -> Bool {
        state.withLock { state in
            guard !isFresh(state), let askedAt = state.askedAt else { return false }
            return now().duration(since: askedAt) < patience
        }
    }

    private func isFresh(_ state: State) -> Bool {
        state.answeredAt.map { now().duration(since: $0) < Self.interval } ?? false
    }

    /// Looks the name up if that is due.
    func refresh() {
        let isDue = state.withLock { state in
            guard state.askedAt == nil, !isFresh(state) else { return false }
            state.askedAt = now()
            return true
        }
        guard isDue else { return }
        do throws(SystemError) {
            // Released at once: it ends with its answer.
            _ = try IOThread(name: "name") { [self] in lookUp() }
        } catch {
            state.withLock {
                $0.askedAt = nil
                if $0.addresses.isEmpty { $0.problem = error.description }
            }
        }
    }

    private func lookUp() {
        let answer = Result { () throws(SocketAddress.ResolutionFailure) in try resolver(place.address) }
        state.withLock { state in
            state.askedAt = nil
            state.answeredAt = now()
            switch answer {
            case .success(let addresses):
                state.addresses = addresses
                state.problem = "the name stands for none"
            case .failure(.unknownName(let reason)):
                state.addresses = []
                state.problem = reason
            // Nobody could be asked: those who were there are so still, as far as anybody knows.
            case .failure(.temporary(let reason)): state.problem = reason
            }
        }
    }
}
