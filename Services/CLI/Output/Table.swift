// SPDX-License-Identifier: Apache-2.0

/// Rows as aligned columns, for people. An empty table prints its header, so that "none" and "broken" look different.
package struct Table {
    private let header: [String]
    private var rows: [[String]] = []

    package init(_ header: [String]) { self.header = header }

    package mutating func add(_ row: [String]) {
        precondition(row.count == header.count)
        rows.append(row.map { $0.isEmpty ? "-" : $0 })
    }

    package func render() -> String {
        let widths = header.indices.map { column in ([header] + rows).map { $0[column].count }.max() ?? 0 }
        return ([header] + rows).map { row in
            let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            var line = cells.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line + "\n"
        }.joined()
    }
}
