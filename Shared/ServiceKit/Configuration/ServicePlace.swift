// SPDX-License-Identifier: Apache-2.0
package import Messages

/// Where on the network services of a kind are: `cache=cache:7401`. The name may stand for any number of addresses.
package struct ServicePlace: Hashable, Sendable {
    package var kind: ServiceKind
    package var address: ListenAddress
    package init(kind: ServiceKind, address: ListenAddress) {
        self.kind = kind
        self.address = address
    }
}

extension ServicePlace: ConfigurationValue {
    package static var kindName: String { "kind=host:port" }

    package static func parse(
        _ text: String, relativeTo baseDirectory: String = "/"
    ) throws(ValueRefusal) -> ServicePlace {
        guard let equals = text.firstIndex(of: "="), let kind = ServiceKind(shortName: String(text[..<equals])) else {
            let kinds = ServiceKind.allCases.filter { $0 != .cli }.map(\.shortName).joined(separator: ", ")
            throw ValueRefusal("“\(text)” is not kind=host:port, such as cache=cache:7401; kinds are \(kinds)")
        }
        let address = try ListenAddress.parse(String(text[text.index(after: equals)...]))
        guard address.port != 0, text[text.index(after: equals)] != ":" else {
            throw ValueRefusal("“\(text)” needs a host and a port, such as cache=cache:7401")
        }
        return ServicePlace(kind: kind, address: address)
    }

    package var configurationText: String { "\(kind.shortName)=\(address)" }
}

/// Where a service listens for the others, or nowhere on a network.
package struct BusListenAddress: Equatable, Sendable {
    package var address: ListenAddress?
    package init(_ address: ListenAddress? = nil) { self.address = address }
}

extension BusListenAddress: ConfigurationValue {
    package static var kindName: String { "host:port" }

    package static func parse(
        _ text: String, relativeTo baseDirectory: String = "/"
    ) throws(ValueRefusal) -> BusListenAddress {
        if text.isEmpty { return BusListenAddress() }
        let address = try ListenAddress.parse(text)
        // Others have to know the port, and a cache manager takes the next one, too.
        guard (1...65534).contains(address.port) else {
            throw ValueRefusal("“\(text)” needs a port between 1 and 65534")
        }
        return BusListenAddress(address)
    }

    package var configurationText: String { address?.configurationText ?? "" }
}
