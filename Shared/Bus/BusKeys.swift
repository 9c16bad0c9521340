// SPDX-License-Identifier: Apache-2.0
package import Messages

/// Who a process is on the network, and whom it knows: its own secret key, and the public key of each kind of service.
/// Whoever has another key is nobody.
package struct BusKeys: Sendable {
    package let own: ServiceKind
    let secretKey: CurveSecretKey
    private let listed: [ServiceKind: CurvePublicKey]
    private let kinds: [[UInt8]: ServiceKind]

    /// - Parameter listed: no two alike; with one key for two kinds, either could pass for the other.
    package init(own: ServiceKind, secretKey: CurveSecretKey, listed: [ServiceKind: CurvePublicKey]) {
        precondition(Set(listed.values).count == listed.count, "each kind has a key of its own")
        self.own = own
        self.secretKey = secretKey
        self.listed = listed
        kinds = Dictionary(uniqueKeysWithValues: listed.map { ($0.value.bytes, $0.key) })
    }

    func publicKey(of kind: ServiceKind) -> CurvePublicKey? { listed[kind] }

    /// nil: the key is not listed.
    func kind(withKey bytes: [UInt8]) -> ServiceKind? { kinds[bytes] }
}

extension ServiceKind {
    /// How the authentication names the owner of a key; comes with each message of its connections.
    var userID: String { String(describing: self) }
}
