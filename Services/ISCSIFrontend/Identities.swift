// SPDX-License-Identifier: Apache-2.0

/// One TCP connection of this process: a place in the table, and which of its users. A place is used again, an id
/// never.
struct ConnectionID: Hashable, Sendable {
    var index: Int
    var generation: UInt64
}

/// Who waits for the answer to a request.
enum RequestOwner: Equatable, Sendable {
    case task(ConnectionID, slot: Int)
    case barrier(UInt64)
}
