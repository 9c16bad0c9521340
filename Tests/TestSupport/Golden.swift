// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials

/// Bytes that a format must keep: `Tests/Golden/<path>.hex`, hexadecimal digits with any white space between them, and
/// comments from `#` to the end of the line. They are written by hand from the specification, never from our output.
package enum Golden {
    package struct Malformed: Error, CustomStringConvertible {
        package let path: String
        package let reason: String
        package var description: String { "golden file \(path): \(reason)" }
    }

    /// - Parameter path: below `Tests/Golden`, without the extension, such as `scsi/v1/read-capacity-10`.
    package static func bytes(_ path: String, testSupportFile: String = #filePath) throws -> [UInt8] {
        // This file is Tests/TestSupport/Golden.swift.
        let tests = testSupportFile.split(separator: "/", omittingEmptySubsequences: false).dropLast(2)
        let name = tests.joined(separator: "/") + "/Golden/\(path).hex"
        let text = String(decoding: try Data(contentsOf: URL(filePath: name)), as: UTF8.self)
        var digits: [UInt8] = []
        for line in text.split(separator: "\n") {
            for character in line.prefix(while: { $0 != "#" }) where !character.isWhitespace {
                guard let digit = character.hexDigitValue else {
                    throw Malformed(path: path, reason: "\(character) is not a hexadecimal digit")
                }
                digits.append(UInt8(digit))
            }
        }
        guard digits.count.isMultiple(of: 2) else { throw Malformed(path: path, reason: "an odd number of digits") }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}
