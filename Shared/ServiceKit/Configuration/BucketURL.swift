// SPDX-License-Identifier: Apache-2.0

/// The object store: `file:///directory`. Empty until configured, because no default place would be right.
package struct BucketURL: Hashable, Sendable {
    /// The directory that is the bucket; nil when no bucket is configured.
    package let directory: DirectoryPath?
    package init(directory: DirectoryPath?) { self.directory = directory }
}

extension BucketURL: ConfigurationValue, CustomStringConvertible {
    package static var kindName: String { "URL" }

    package static func parse(
        _ text: String, relativeTo baseDirectory: String = "/"
    ) throws(ValueRefusal) -> BucketURL {
        if text.isEmpty { return BucketURL(directory: nil) }
        guard let separator = text.firstRange(of: "://") else {
            throw ValueRefusal("“\(text)” is not a URL; write file:///path/of/a/directory")
        }
        let scheme = text[..<separator.lowerBound]
        guard scheme == "file" else {
            throw ValueRefusal("this version stores only in directories (file:///…), not in “\(scheme)://”")
        }
        let path = text[separator.upperBound...]
        guard path.hasPrefix("/"), let decoded = removingPercentEncoding(path) else {
            throw ValueRefusal("“\(text)” names no absolute path; write file:///path, with three slashes")
        }
        return BucketURL(directory: DirectoryPath(decoded))
    }

    /// nil for an escape that is incomplete, a NUL, or bytes that are not UTF-8.
    private static func removingPercentEncoding(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(Substring(rest.prefix(2))), radix: 16), value != 0 else {
                return nil
            }
            rest = rest.dropFirst(2)
            bytes.append(value)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    package var configurationText: String {
        guard let directory else { return "" }
        var text = "file://"
        for byte in directory.path.utf8 {
            let isPlain = byte > 0x20 && byte < 0x7f && byte != UInt8(ascii: "%")
            text +=
                isPlain
                ? String(UnicodeScalar(byte)) : "%" + String(byte / 16, radix: 16) + String(byte % 16, radix: 16)
        }
        return text
    }
    package var description: String { configurationText }
}
