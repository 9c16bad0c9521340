// SPDX-License-Identifier: Apache-2.0
import Platform
import ServiceKit
import Testing

struct OperationsDocumentTests {
    /// `sluice config keys --markdown` prints the rows.
    @Test func theTableOfKeysIsTheOneTheProgramUses() throws {
        let repository = DirectoryPath("../../..", relativeTo: #filePath)
        let bytes = try FileSystem.readFile(repository.appending("docs/OPERATIONS.md"), limit: 1 << 20)
        let document = String(decoding: bytes, as: UTF8.self)
        let rows = document.split(separator: "\n").filter { $0.hasPrefix("| `") && $0.contains("` | ") }.map(
            String.init)
        let keys = GatewayConfiguration.keys.map(\.markdownRow)
        #expect(rows.filter { keys.contains($0) } == keys, "every key, in the table's order, word for word")
    }
}
