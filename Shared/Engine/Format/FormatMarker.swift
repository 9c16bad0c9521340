// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials
import Wire

/// The object FORMAT at the top of a bucket: what an old program looks at first and refuses if it is newer.
///
/// Kept as plain as can be, since every version to come must be able to read its number:
/// `{"createdMilliseconds": …, "format": 1, "product": "sluice"}`.
package struct FormatMarker: Hashable, Codable, Sendable {
    package static let product = "sluice"
    package static let byteLimit = 4096

    package var format: Int
    package var product: String
    package var createdMilliseconds: UInt64

    package init(format: Int = BucketLayout.formatVersion, createdMilliseconds: UInt64) {
        self.format = format
        product = Self.product
        self.createdMilliseconds = createdMilliseconds
    }

    package func encoded() throws(EngineError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        do { return [UInt8](try encoder.encode(self)) + [UInt8(ascii: "\n")] } catch {
            throw .malformed(.formatMarker, reason: "cannot be encoded: \(error)")
        }
    }

    private struct Version: Decodable { let format: Int }

    package init(decoding bytes: [UInt8]) throws(EngineError) {
        guard bytes.count <= Self.byteLimit else { throw .tooLarge(.formatMarker, byteCount: bytes.count) }
        let data = Data(bytes)
        let version: Int
        do { version = try JSONDecoder().decode(Version.self, from: data).format } catch {
            throw .malformed(.formatMarker, reason: "no JSON object with a format")
        }
        guard version <= BucketLayout.formatVersion else { throw .newerFormat(.formatMarker, version: version) }
        guard version > 0 else { throw .malformed(.formatMarker, reason: "format \(version)") }
        do { self = try JSONDecoder().decode(Self.self, from: data) } catch {
            throw .malformed(.formatMarker, reason: "\(error)")
        }
        guard product == Self.product else { throw .misplaced(.formatMarker, reason: "of \(product)") }
    }
}
