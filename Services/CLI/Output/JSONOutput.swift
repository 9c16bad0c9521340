// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials

/// What `--json` prints: stable names, sorted, one document.
package enum JSONOutput {
    package static func text(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
    }
}
