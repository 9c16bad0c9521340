// SPDX-License-Identifier: Apache-2.0
import Wire

/// A volume's local state as its file holds it: `RecordFormat` of a `LocalState` (docs/formats/head.md).
/// Version history: 1, first.
package enum LocalStateFormat {
    package static let version = 1
    /// HEAD's limit and room for the rest.
    package static let byteLimit = HeadFormat.byteLimit + (64 << 10)
    private static let format = RecordFormat(name: .localState, newestVersion: version, byteLimit: byteLimit)

    package static func encode(_ state: LocalState) throws(EngineError) -> [UInt8] { try format.encode(state) }

    package static func decode(_ bytes: [UInt8]) throws(EngineError) -> LocalState {
        let state: LocalState = try format.decode(from: bytes)
        try HeadFormat.check(embedded: state.head, format: .localState)
        guard state.volume == state.head.volume else {
            throw .malformed(.localState, reason: "its HEAD is of \(state.head.volume)")
        }
        return state
    }
}
