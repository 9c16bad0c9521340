// SPDX-License-Identifier: Apache-2.0

/// An absolute path without `.`, `..`, doubled or final slashes. Relative ones are taken from the directory of the
/// file that names them, so that a gateway's directory can be moved as a whole.
package struct DirectoryPath: Hashable, Sendable, CustomStringConvertible {
    package let path: String
    package init(_ path: String, relativeTo baseDirectory: String = "/") {
        let absolute = path.hasPrefix("/") ? path : baseDirectory + "/" + path
        var parts: [Substring] = []
        for part in absolute.split(separator: "/", omittingEmptySubsequences: true) where part != "." {
            if part == ".." { parts = parts.dropLast() } else { parts.append(part) }
        }
        self.path = "/" + parts.joined(separator: "/")
    }
    package var description: String { path }
    package func appending(_ name: String) -> String { path == "/" ? "/" + name : path + "/" + name }
    /// The directory that holds this one; `/` holds itself.
    package var parent: DirectoryPath { DirectoryPath("..", relativeTo: path) }
}

extension DirectoryPath: ConfigurationValue {
    package static var kindName: String { "directory" }
    package static func parse(
        _ text: String, relativeTo baseDirectory: String
    ) throws(ValueRefusal) -> DirectoryPath {
        guard !text.isEmpty else { throw ValueRefusal("the path is empty") }
        guard !text.contains("\0") else { throw ValueRefusal("the path holds a NUL character") }
        return DirectoryPath(text, relativeTo: baseDirectory)
    }
    package var configurationText: String { path }
}
