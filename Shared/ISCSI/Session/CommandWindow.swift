// SPDX-License-Identifier: Apache-2.0

/// The command numbering of one session (RFC 7143 §4.2.2.1): which commands are taken, and how many more the initiator
/// may send. A task holds its place until its answer is on the way, so the window never shrinks.
package struct CommandWindow {
    package enum Verdict: Equatable, Sendable {
        case accept
        /// Outside of the window or out of order: dropped without a word, the connection stays (RFC 7143 §4.2.2.1).
        case ignore
        /// Its number was taken and its task is already aborted.
        case aborted
    }

    private static let cancelledLimit = 16

    package let depth: Int
    package private(set) var expCmdSN: SerialNumber
    /// Tasks that hold a place.
    package private(set) var openCount = 0
    /// Numbers that were aborted before they arrived; few, and all within the window.
    private var cancelled: [SerialNumber] = []

    package init(expCmdSN: SerialNumber, depth: Int) {
        precondition(depth > 0)
        self.expCmdSN = expCmdSN
        self.depth = depth
    }

    package var maxCmdSN: SerialNumber { expCmdSN.advanced(by: depth - openCount - 1) }

    /// A request that is not immediate has come. On one connection numbers arrive in order, so anything but the next
    /// one can never become acceptable.
    package mutating func receive(_ cmdSN: SerialNumber) -> Verdict {
        guard cmdSN == expCmdSN, openCount < depth else { return .ignore }
        expCmdSN = expCmdSN.advanced(by: 1)
        if let index = cancelled.firstIndex(of: cmdSN) {
            cancelled.remove(at: index)
            return .aborted
        }
        return .accept
    }

    /// The request just accepted stays open as a task.
    package mutating func open() {
        precondition(openCount < depth)
        openCount += 1
    }

    package mutating func close() {
        precondition(openCount > 0)
        openCount -= 1
    }

    package func isExpected(_ cmdSN: SerialNumber) -> Bool {
        expCmdSN.distance(to: cmdSN) >= 0 && cmdSN.distance(to: maxCmdSN) >= 0
    }

    /// Takes a number that is still to come as received and aborted (RFC 7143 §11.6.1). False: too many wait already.
    package mutating func cancel(_ cmdSN: SerialNumber) -> Bool {
        if cancelled.contains(cmdSN) { return true }
        guard isExpected(cmdSN), cancelled.count < Self.cancelledLimit else { return false }
        cancelled.append(cmdSN)
        return true
    }
}
