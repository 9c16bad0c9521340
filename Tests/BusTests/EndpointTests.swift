// SPDX-License-Identifier: Apache-2.0
import Bus
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

    @Test func saysWhenThePathIsTooLong() throws {
        let longest = "/" + String(repeating: "a", count: 106)
        #expect(try Endpoint(path: longest).path == longest)
        let error = #expect(throws: BusError.pathTooLong(longest + "b", limit: 107)) {
            try Endpoint(path: longest + "b")
        }
        #expect(error?.description.contains("108 bytes, the system allows 107") == true)
    }
}
