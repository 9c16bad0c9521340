// SPDX-License-Identifier: Apache-2.0

/// Where a service listens: `127.0.0.1:3260`, `[::1]:3260`, `:3260` (every address). Port 0 lets the kernel choose.
package struct ListenAddress: Hashable, Sendable {
    /// A numeric address or a host name, without brackets; `0.0.0.0` when none was written.
    package var host: String
    package var port: UInt16
    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }
}

extension ListenAddress: ConfigurationValue, CustomStringConvertible {
    package static var kindName: String { "host:port" }

    package static func parse(
        _ text: String, relativeTo baseDirectory: String = "/"
    ) throws(ValueRefusal) -> ListenAddress {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            throw ValueRefusal("“\(text)” is not an address; write host:port, such as 127.0.0.1:3260")
        }
        var host = String(text[..<colon])
        if host.hasPrefix("[") && host.hasSuffix("]") {
            host = String(host.dropFirst().dropLast())
        } else if host.contains(":") {
            throw ValueRefusal("“\(text)” is not an address; put an IPv6 address in brackets, such as [::1]:3260")
        }
        guard host.allSatisfy({ !$0.isWhitespace && $0 != "/" }) else {
            throw ValueRefusal("“\(text)” is not an address; write host:port, such as 127.0.0.1:3260")
        }
        return ListenAddress(host: host.isEmpty ? "0.0.0.0" : host, port: port)
    }

    package var configurationText: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    package var description: String { configurationText }
}
