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
        #expect(url.place == .directory(directory))
        #expect(url.prefix.isEmpty)
    }

    @Test func takesAPrefixWithoutItsOuterSlashes() throws {
        let url = try BucketURL("file:///srv/bucket", prefix: "/gateways/one/")
        #expect(url.prefix == "gateways/one")
        #expect(url.description == "file:///srv/bucket (prefix gateways/one)")
    }

    @Test(arguments: [
        ("/srv/bucket", ObjectStoreError.URLFault.noScheme), ("", .noScheme), ("bucket", .noScheme),
        ("http://host/x", .unknownScheme("http")),
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

    @Test(arguments: ["s3://my-bucket.1", "S3://my-bucket.1", "s3://my-bucket.1/"])
    func readsS3URLs(_ text: String) throws {
        let url = try BucketURL(text, prefix: "one")
        #expect(url.place == .s3(bucket: "my-bucket.1"))
        #expect(url.description == "s3://my-bucket.1 (prefix one)")
    }

    @Test(arguments: [
        ("s3://", ObjectStoreError.URLFault.badBucketName("")), ("s3://ab", .badBucketName("ab")),
        ("s3://Capital", .badBucketName("Capital")), ("s3://-edge", .badBucketName("-edge")),
        ("s3://two..dots", .badBucketName("two..dots")), ("s3://bucket/prefix", .keyInS3URL("prefix")),
        ("s3://under_score", .badBucketName("under_score")), ("s3://user@bucket", .badBucketName("user@bucket")),
    ])
    func refusesBadS3URLs(_ text: String, _ fault: ObjectStoreError.URLFault) {
        #expect(throws: ObjectStoreError.refused(.unsupportedURL(text, fault))) { try BucketURL(text) }
    }

    @Test(arguments: [
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000"), ("https://S3.example.org/", "https://s3.example.org"),
        ("https://store:443", "https://store"), ("http://store:80", "http://store"),
        ("http://[::1]:9", "http://[::1]:9"),
        ("https://[2001:db8::1]", "https://[2001:db8::1]"),
    ])
    func readsEndpoints(_ text: String, _ description: String) throws {
        #expect(try S3Endpoint(text).description == description)
    }

    @Test(arguments: [
        "", "store", "store:9000", "ftp://store", "http://", "http://store:0", "http://store:70000", "http://a/b",
        "http://a b", "http://user@store", "http://a?b", "http://::1",
    ])
    func refusesBadEndpoints(_ text: String) {
        #expect(throws: ObjectStoreError.URLFault.badEndpoint(text)) { try S3Endpoint(text) }
    }

    @Test(arguments: ["a/../b", "a b", "a//b", ".sluice-tmp"])
    func refusesBadPrefixes(_ prefix: String) {
        #expect(throws: ObjectStoreError.self) { try BucketURL("file:///srv", prefix: prefix) }
    }
}
