// SPDX-License-Identifier: Apache-2.0

/// An absolute path of a file, or none. Relative ones start where `DirectoryPath`'s do.
package struct FilePath: Hashable, Sendable {
    package var path: String?
    package init(_ path: String? = nil) { self.path = path }
}

extension FilePath: ConfigurationValue {
    package static var kindName: String { "file" }
    package static func parse(_ text: String, relativeTo baseDirectory: String) throws(ValueRefusal) -> FilePath {
        text.isEmpty ? FilePath() : FilePath(try DirectoryPath.parse(text, relativeTo: baseDirectory).path)
    }
    package var configurationText: String { path ?? "" }
}
