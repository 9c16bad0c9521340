// SPDX-License-Identifier: Apache-2.0
package import Platform
package import ServiceKit

/// A whole gateway in one directory, for trying things out and for small machines: the object store is a directory
/// beside the journal. What is there already is left as it is.
package struct EmbeddedDirectory {
    package let path: DirectoryPath
    package init(_ path: DirectoryPath) { self.path = path }

    package var configurationPath: String { path.appending("gateway.yaml") }

    /// The paths are relative to the file, so that the directory can be moved; a URL cannot be.
    private var contents: String {
        """
        # A gateway in one directory. `sluice config keys` lists everything that can be set here.
        state:
          directory: state
        run:
          directory: run
        journal:
          directories: [journal]
          size: 4GiB
          volume_buffer: 1GiB
        cache:
          directories: [cache]
        bucket:
          url: \(Self.fileURL(path.appending("bucket")))
        iscsi:
          listen: ["127.0.0.1:3260"]

        """
    }

    package func create() throws(SystemError) {
        // Journal and bucket hold people's data: nobody else reads them.
        for name in ["state", "run", "journal", "cache", "bucket"] {
            try FileSystem.createDirectory(path.appending(name), permissions: 0o700)
        }
        if !FileSystem.exists(configurationPath) { try FileSystem.replace(configurationPath, with: contents) }
    }

    /// Percent-encodes what a URL or a plain YAML scalar could misread.
    static func fileURL(_ path: String) -> String {
        var text = "file://"
        for byte in path.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "."), UInt8(ascii: "-"),
                UInt8(ascii: "_"):
                text.unicodeScalars.append(UnicodeScalar(byte))
            default: text += "%" + String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
            }
        }
        return text
    }
}
