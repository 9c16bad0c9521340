// SPDX-License-Identifier: Apache-2.0
import Glibc
import Synchronization

/// A named place where tests make a process die, stop or fail. Each module declares its own as constants.
///
/// The environment variable `SLUICE_FAILPOINTS` arms them: `name=action@n,...`, where the action happens at the n-th
/// hit (1 if left out) and is one of
/// - `kill`: SIGKILL to this process;
/// - `pause`: SIGSTOP to this process, until somebody sends SIGCONT;
/// - `error`: the call fails with EIO, at this and every later hit.
///
/// Without the variable a hit costs one load and one branch.
package struct Failpoint: Sendable {
    package let name: StaticString
    package init(_ name: StaticString) { self.name = name }

    package enum Action: String, Sendable { case kill, pause, error }

    /// One armed point and how often it was hit.
    package final class Armed: Sendable {
        package let name: String
        package let action: Action
        package let hitNumber: Int
        private let hits = Atomic<Int>(0)
        init(name: String, action: Action, hitNumber: Int) {
            self.name = name
            self.action = action
            self.hitNumber = hitNumber
        }

        /// Counts one hit. Returns how many there were with it.
        func count() -> Int { hits.add(1, ordering: .relaxed).newValue }
    }

    private static let configuration: Result<[Armed], FailpointError> = {
        guard let text = unsafe getenv("SLUICE_FAILPOINTS") else { return .success([]) }
        do throws(FailpointError) {
            return .success(try parse(unsafe String(cString: text)))
        } catch {
            return .failure(error)
        }
    }()
    private static let armed: [Armed] = (try? configuration.get()) ?? []
    private static let isAnyArmed = !armed.isEmpty

    /// Called by each service at its start: a misspelt failpoint must not look like a passed test.
    package static func checkEnvironment() throws(FailpointError) { _ = try configuration.get() }

    @inline(__always)
    package func hit() throws(SystemError) {
        if Self.isAnyArmed { try act(among: Self.armed) }
    }

    /// What `hit` does when something is armed.
    package func act(among armed: [Armed]) throws(SystemError) {
        let name = name.description
        guard let point = armed.first(where: { $0.name == name }) else { return }
        let hit = point.count()
        switch point.action {
        case .kill: if hit == point.hitNumber { _ = Glibc.kill(getpid(), SIGKILL) }
        case .pause: if hit == point.hitNumber { _ = Glibc.kill(getpid(), SIGSTOP) }
        case .error:
            if hit >= point.hitNumber { throw SystemError(errorNumber: EIO, call: "failpoint", path: name) }
        }
    }

    package static func parse(_ text: String) throws(FailpointError) -> [Armed] {
        var points: [Armed] = []
        for item in text.split(separator: ",") {
            let halves = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard halves.count == 2, !halves[0].isEmpty else { throw .malformed(String(item)) }
            let parts = halves[1].split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
            guard let action = Action(rawValue: String(parts[0])) else { throw .malformed(String(item)) }
            var hitNumber = 1
            if parts.count == 2 {
                guard let number = Int(parts[1]), number > 0 else { throw .malformed(String(item)) }
                hitNumber = number
            }
            points.append(Armed(name: String(halves[0]), action: action, hitNumber: hitNumber))
        }
        return points
    }
}

package enum FailpointError: Error, Equatable, CustomStringConvertible {
    case malformed(String)

    package var description: String {
        switch self {
        case .malformed(let item):
            "SLUICE_FAILPOINTS: cannot read '\(item)'; expected name=kill, name=pause or name=error, then @n"
        }
    }
}
