// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import S3

struct S3XMLTests {
    @Test func readsAListing() {
        let text = """
            <?xml version="1.0" encoding="UTF-8"?>
            <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>data</Name><Prefix>a</Prefix>
            <KeyCount>2</KeyCount><MaxKeys>2</MaxKeys><IsTruncated>true</IsTruncated>
            <Contents><Key>a/1</Key><Size>3</Size><Owner><ID>x</ID></Owner></Contents>
            <Contents><Key>a/&lt;2&amp;</Key></Contents>
            </ListBucketResult>
            """
        #expect(S3XML.listing(Array(text.utf8)) == .init(keys: ["a/1", "a/<2&"], isTruncated: true))
        let empty = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"
        #expect(S3XML.listing(Array(empty.utf8)) == .init())
    }

    @Test func readsAnError() {
        let text = "<Error><Code>NoSuchKey</Code><Message>Not there</Message><Region>eu-west-1</Region></Error>"
        #expect(S3XML.failure(Array(text.utf8)) == .init(code: "NoSuchKey", message: "Not there", region: "eu-west-1"))
    }

    @Test(arguments: ["", "<html><body>gateway</body></html>", "<Error><Code>x", "{\"a\": 1}", "\u{0}"])
    func knowsWhatIsNeither(_ text: String) {
        #expect(S3XML.listing(Array(text.utf8)) == nil)
        #expect(S3XML.failure(Array(text.utf8)) == nil)
    }
}
