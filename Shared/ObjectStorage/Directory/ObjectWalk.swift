// SPDX-License-Identifier: Apache-2.0
import Platform
import Wire

/// One page of a directory bucket's listing, in the byte order of whole keys. Folders sort with their `/`, because that
/// is the byte which follows them in a key (`a-b` comes before `a/b`). Folders that cannot hold a wanted key are not
/// read.
struct ObjectWalk: Sendable {
    let tree: ObjectTree
    /// The bucket's prefix, empty or with a `/` at the end; keys are relative to it.
    let root: String
    let prefix: String
    let after: String?
    let limit: Int

    func page() throws(SystemError) -> ObjectPage {
        var keys: [ObjectKey] = []
        // One more than wanted tells whether this page is the last.
        try visit("", &keys, limit: limit + 1)
        let isLast = keys.count <= limit
        return ObjectPage(keys: Array(keys.prefix(limit)), isLast: isLast)
    }

    /// - Parameter folder: relative to `root`; empty or with a `/` at the end.
    private func visit(_ folder: String, _ keys: inout [ObjectKey], limit: Int) throws(SystemError) {
        let path = (root + folder).dropLast()
        for name in try tree.names(in: String(path)).sorted() {
            if keys.count == limit { return }
            let isFolder = name.hasSuffix("/")
            // Files of somebody else, and the reserved folder.
            let component = isFolder ? name.dropLast() : name[...]
            if ObjectKeyRules.fault(inComponent: component.utf8) != nil { continue }
            let key = folder + name
            if isFolder {
                if mayHoldWanted(key) { try visit(key, &keys, limit: limit) }
            } else if key.hasPrefix(prefix), after.map({ key > $0 }) ?? true {
                keys.append(ObjectKey(key))
            }
        }
    }

    private func mayHoldWanted(_ folder: String) -> Bool {
        guard folder.hasPrefix(prefix) || prefix.hasPrefix(folder) else { return false }
        guard let after else { return true }
        return folder > after || after.hasPrefix(folder)
    }
}
