// SPDX-License-Identifier: Apache-2.0
package import Engine
package import Messages
package import Wire

/// When requests arrived, until they are answered. A fixed number of places, found from the request's number: what is
/// never answered (dropped by a barrier, of a frontend that is gone) is overwritten in time, and should two open
/// requests meet in one place, the older is not measured. Owned by the shard's thread.
package struct RequestClock {
    package struct Arrival {
        package var volume: VolumeID
        package var operation: VolumeOperation
        package var at: UInt64
        package init(volume: VolumeID, operation: VolumeOperation, at: UInt64) {
            self.volume = volume
            self.operation = operation
            self.at = at
        }
    }

    private struct Place {
        var origin: RequestOrigin
        var arrival: Arrival
    }

    /// A power of two, well above what frontends keep open.
    private static let placeCount = 8192
    private var places: [Place]

    package init() {
        let nothing = Place(
            origin: RequestOrigin(frontend: ServiceInstance(rawValue: 0), number: 0),
            arrival: Arrival(volume: VolumeID(rawValue: 0), operation: .other, at: 0))
        places = Array(repeating: nothing, count: Self.placeCount)
    }

    /// A request that comes again goes on from its first arrival.
    package mutating func start(_ origin: RequestOrigin, _ arrival: Arrival) {
        let index = Self.index(of: origin)
        guard places[index].origin != origin else { return }
        places[index] = Place(origin: origin, arrival: arrival)
    }

    /// nil: it is not known any more. Asked once for each answer.
    package mutating func stop(_ origin: RequestOrigin) -> Arrival? {
        let index = Self.index(of: origin)
        guard places[index].origin == origin else { return nil }
        // No request has the number 0.
        places[index].origin.number = 0
        return places[index].arrival
    }

    private static func index(of origin: RequestOrigin) -> Int {
        Int(truncatingIfNeeded: (origin.number &+ origin.frontend.rawValue) & UInt64(placeCount - 1))
    }
}

extension VolumeOperation {
    /// nil: nothing that an initiator asks for.
    package init?(_ operation: IORequest.Operation) {
        switch operation {
        case .read: self = .read
        case .write: self = .write
        case .flush: self = .flush
        case .writeSame, .unmap, .compareAndWrite, .compare, .orWrite: self = .other
        case .prefetch, .nexusBarrier, .nexusLoss, .deviceServerCommand, .check, .taskManagement: return nil
        }
    }
}
