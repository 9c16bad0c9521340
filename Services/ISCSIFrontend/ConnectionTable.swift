// SPDX-License-Identifier: Apache-2.0

/// The connections by id, so that an answer finds its connection without a search, or finds that it is gone.
struct ConnectionTable {
    private var places: [Connection?] = []
    private var free: [Int] = []
    private var lastGeneration: UInt64 = 0
    private(set) var count = 0

    mutating func takeID() -> ConnectionID {
        lastGeneration += 1
        if let index = free.popLast() { return ConnectionID(index: index, generation: lastGeneration) }
        places.append(nil)
        return ConnectionID(index: places.count - 1, generation: lastGeneration)
    }

    mutating func enter(_ connection: Connection) {
        precondition(places[connection.id.index] == nil)
        places[connection.id.index] = connection
        count += 1
    }

    /// The id that was taken is not used after all.
    mutating func giveBack(_ id: ConnectionID) { free.append(id.index) }

    mutating func remove(_ id: ConnectionID) {
        guard self[id] != nil else { return }
        places[id.index] = nil
        free.append(id.index)
        count -= 1
    }

    subscript(id: ConnectionID) -> Connection? {
        guard let connection = places[id.index], connection.id == id else { return nil }
        return connection
    }

    var all: [Connection] { places.compactMap { $0 } }
}
