// SPDX-License-Identifier: Apache-2.0
import ObjectStorage
import Testing

struct BucketURLTests {
    @Test(arguments: [
        ("file:///srv/bucket", "/srv/bucket"), ("file:///", "/"), ("file:///srv/bucket//", "/srv/bucket"),
        ("FILE:///srv/x", "/srv/x"), ("file://localhost/srv/x", "/srv/x"), ("file:///a%20b/%C3%A4", "/a b/ä"),
    ])
    func readsFileURLs(_ text: String, _ directory: String) throws {
        let url = try BucketURL(text)
        #expect(url.directory == directory)
        #expect(url.prefix.isEmpty)
    }

    @Test func takesAPrefixWithoutItsOuterSlashes() throws {
        let url = try BucketURL("file:///srv/bucket", prefix: "/gateways/one/")
        #expect(url.prefix == "gateways/one")
        #expect(url.description == "file:///srv/bucket (prefix gateways/one)")
    }

    @Test(arguments: [
        ("/srv/bucket", ObjectStoreError.URLFault.noScheme), ("", .noScheme), ("bucket", .noScheme),
        ("s3://bucket/prefix", .notBuiltIn("s3")), ("http://host/x", .unknownScheme("http")),
        ("file://host/x", .hostInFileURL("host")), ("file://srv", .hostInFileURL("srv")), ("file://", .relativePath),
        ("file:///a%2", .badEscape), ("file:///a%zz", .badEscape), ("file:///a%00b", .badEscape),
        ("file:///%ff", .badEscape),
    ])
    func saysWhatIsWrong(_ text: String, _ fault: ObjectStoreError.URLFault) {
        let error = #expect(throws: ObjectStoreError.self) { try BucketURL(text) }
        #expect(error == .refused(.unsupportedURL(text, fault)))
        // What to write instead, or what the rule is.
        #expect(error?.description.contains(fault == .badEscape ? "hexadecimal" : "file:///absolute/directory") == true)
    }

    @Test(arguments: ["a/../b", "a b", "a//b", ".sluice-tmp"])
    func refusesBadPrefixes(_ prefix: String) {
        #expect(throws: ObjectStoreError.self) { try BucketURL("file:///srv", prefix: prefix) }
    }
}
