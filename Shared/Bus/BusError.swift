// SPDX-License-Identifier: Apache-2.0
package import Platform

/// Why an endpoint cannot be used at all. What goes wrong between two services later is a `BusFault`.
package enum BusError: Error, Equatable, Sendable {
    case malformedEndpoint(String)
    case pathTooLong(String, limit: Int)
    /// Another process serves this endpoint now.
    case inUse(Endpoint)
    /// The system does not let this process listen there.
    case cannotListen(Endpoint, reason: String)
    /// A network endpoint needs keys, and of this kind there are none.
    case noKey(Endpoint)
    case system(SystemError)
    case zeroMQ(call: String, reason: String)
    case isShutDown

    package enum Disposition { case fixConfiguration, stopOther, giveUp }

    package var disposition: Disposition {
        switch self {
        case .malformedEndpoint, .pathTooLong, .cannotListen, .noKey: .fixConfiguration
        case .inUse: .stopOther
        case .system, .zeroMQ, .isShutDown: .giveUp
        }
    }
}

extension BusError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .malformedEndpoint(let text):
            "'\(text)' is not an endpoint; expected ipc:// and an absolute path, such as ipc:///run/sluice/cache.bus, "
                + "or tcp:// and an address in numbers with a port"
        case .pathTooLong(let path, let limit):
            "the socket path \(path) has \(path.utf8.count) bytes, the system allows \(limit): "
                + "configure a shorter run directory"
        case .inUse(let endpoint):
            "\(endpoint) is served by another running process: stop it, or configure another "
                + (endpoint.isNetwork ? "bus.listen" : "run directory")
        case .cannotListen(let endpoint, let reason):
            "cannot listen on \(endpoint): \(reason); set bus.listen to an address of this machine"
        case .noKey(let endpoint):
            "no key for \(endpoint): a network endpoint needs this process's secret key and the other's public key "
                + "in bus.keys_directory (`sluice keys show`)"
        case .system(let error): error.description
        case .zeroMQ(let call, let reason): "\(call): \(reason)"
        case .isShutDown: "the bus is shut down"
        }
    }
}
