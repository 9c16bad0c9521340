// SPDX-License-Identifier: Apache-2.0
import FuzzSupport

@testable import Engine

/// The JSON records: HEAD, snapshots, what a gateway keeps beside them.
enum RecordFormats {
    static func head(_ bytes: [UInt8], isSealed: Bool) { check(bytes, isSealed, HeadFormat.decode, HeadFormat.encode) }
    static func snapshot(_ bytes: [UInt8], isSealed: Bool) {
        check(bytes, isSealed, SnapshotFormat.decode, SnapshotFormat.encode)
    }
    static func group(_ bytes: [UInt8], isSealed: Bool) {
        check(bytes, isSealed, SnapshotGroupFormat.decode, SnapshotGroupFormat.encode)
    }
    static func pending(_ bytes: [UInt8], isSealed: Bool) {
        _ = PendingSnapshotFormat.volume(ofUnusable: bytes)
        check(bytes, isSealed, PendingSnapshotFormat.decode, PendingSnapshotFormat.encode)
    }
    static func localState(_ bytes: [UInt8], isSealed: Bool) {
        check(bytes, isSealed, LocalStateFormat.decode, LocalStateFormat.encode)
    }
    static func cacheSettings(_ bytes: [UInt8], isSealed: Bool) {
        check(bytes, isSealed, CacheSettingsFormat.decode, CacheSettingsFormat.encode)
    }
    static func gatewayIdentity(_ bytes: [UInt8], isSealed: Bool) {
        check(bytes, isSealed, GatewayIdentityFormat.decode, GatewayIdentityFormat.encode)
    }
    static func marker(_ bytes: [UInt8], isSealed: Bool) {
        guard let marker = try? FormatMarker(decoding: bytes), let encoded = try? marker.encoded() else { return }
        precondition((try? FormatMarker(decoding: encoded)) == marker, "a marker is not stable")
    }

    private static func check<Record: Equatable>(
        _ bytes: [UInt8], _ isSealed: Bool, _ decode: ([UInt8]) throws(EngineError) -> Record,
        _ encode: (Record) throws(EngineError) -> [UInt8]
    ) {
        guard let record = try? decode(isSealed ? Seal.record(bytes) : bytes) else { return }
        do throws(EngineError) {
            let encoded = try encode(record)
            let again = try decode(encoded)
            precondition(again == record, "\(Record.self) does not decode to itself")
            let encodedAgain = try encode(again)
            precondition(encodedAgain == encoded, "\(Record.self) is not stable")
        } catch { preconditionFailure("\(Record.self) that decodes does not encode: \(error)") }
    }
}
