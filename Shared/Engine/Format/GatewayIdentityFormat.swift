// SPDX-License-Identifier: Apache-2.0
package import Wire

/// Who a gateway is, for as long as its state directory lives: `state/gateway.json`.
package struct GatewayIdentity: Hashable, Codable, Sendable {
    package var formatVersion: Int
    package var gateway: GatewayID
    package init(formatVersion: Int = GatewayIdentityFormat.version, gateway: GatewayID) {
        self.formatVersion = formatVersion
        self.gateway = gateway
    }
}

/// A gateway's identity as its file holds it: `RecordFormat` of a `GatewayIdentity`. Version history: 1, first.
package enum GatewayIdentityFormat {
    package static let version = 1
    package static let byteLimit = 4096
    private static let format = RecordFormat(name: .gatewayIdentity, newestVersion: version, byteLimit: byteLimit)

    package static func encode(_ identity: GatewayIdentity) throws(EngineError) -> [UInt8] {
        try format.encode(identity)
    }
    package static func decode(_ bytes: [UInt8]) throws(EngineError) -> GatewayIdentity {
        try format.decode(from: bytes)
    }
}
