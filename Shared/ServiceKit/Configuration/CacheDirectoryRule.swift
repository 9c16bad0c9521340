// SPDX-License-Identifier: Apache-2.0
import Platform

/// Where the read cache may be, for the configuration and for `sluice cache add`: in directories of its own. What it
/// writes and removes there must not be taken for a part of something else, so none of them may hold another one.
package enum CacheDirectoryRule {
    /// A directory that is used already.
    package struct Other {
        package var path: String
        /// Goes on from the path, for people: "of journal.directories".
        package var use: String
        package init(path: String, use: String) {
            self.path = path
            self.use = use
        }
    }

    /// For people, why the directory cannot hold a cache; nil if it may. What does not exist is left to other checks.
    package static func refusal(of directory: String, beside others: [Other]) -> String? {
        guard let real = FileSystem.realPath(directory) else { return nil }
        for other in others {
            guard let otherReal = FileSystem.realPath(other.path) else { continue }
            let relation: String
            if real == otherReal {
                relation = "is the same directory as"
            } else if isInside(real, otherReal) {
                relation = "lies in"
            } else if isInside(otherReal, real) {
                relation = "holds"
            } else {
                continue
            }
            return "\(directory) \(relation) \(other.path) \(other.use); the cache needs a directory of its own"
        }
        return nil
    }

    private static func isInside(_ path: String, _ directory: String) -> Bool {
        directory == "/" || path.hasPrefix(directory + "/")
    }
}
