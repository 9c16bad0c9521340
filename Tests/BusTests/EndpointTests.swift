// SPDX-License-Identifier: Apache-2.0
import Bus
import Messages
import Platform
import Testing

@Suite struct EndpointTests {
    @Test func readsItsTextForm() throws {
        let endpoint = try Endpoint(text: "ipc:///run/sluice/cache.bus")
        #expect(endpoint.path == "/run/sluice/cache.bus")
        #expect(endpoint.description == "ipc:///run/sluice/cache.bus")
        #expect(try Endpoint(path: "/run/sluice/cache.bus") == endpoint)
    }

    @Test(arguments: ["", "ipc://", "ipc://relative", "ipc:///", "tcp://cache:7401", "/run/x", "ipc:///a\u{0}b"])
    func refusesOtherText(_ text: String) {
        #expect(throws: BusError.malformedEndpoint(text)) { try Endpoint(text: text) }
    }

    @Test(arguments: [
        (SocketAddress(host: "172.18.0.3", port: 7401), "tcp://172.18.0.3:7401"),
        (SocketAddress(host: "fd00::3", port: 7401), "tcp://[fd00::3]:7401"),
    ])
    func isAnAddressOfANetwork(_ address: SocketAddress, _ text: String) throws {
        let endpoint = try Endpoint(address: address, of: .cache)
        #expect(endpoint.description == text)
        #expect(endpoint.isNetwork && endpoint.path == nil && !endpoint.isServed())
        #expect(try endpoint != Endpoint(address: address, of: .uploader), "another key answers there")
    }

    /// ZeroMQ would look names up itself, once and on its only I/O thread.
    @Test(arguments: [("cache", 7401), ("", 7401), ("127.0.0.1", 0), ("300.0.0.1", 7401)])
    func anAddressIsInNumbers(_ host: String, _ port: UInt16) {
        let address = SocketAddress(host: host, port: port)
        #expect(throws: BusError.malformedEndpoint("tcp://\(address)")) { try Endpoint(address: address, of: .cache) }
    }

    @Test func saysWhenThePathIsTooLong() throws {
        let longest = "/" + String(repeating: "a", count: 106)
        #expect(try Endpoint(path: longest).path == longest)
        let error = #expect(throws: BusError.pathTooLong(longest + "b", limit: 107)) {
            try Endpoint(path: longest + "b")
        }
        #expect(error?.description.contains("108 bytes, the system allows 107") == true)
    }
}
