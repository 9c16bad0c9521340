// SPDX-License-Identifier: Apache-2.0
import TestSupport
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

    @Test func readsWhateverIsWellFormed() {
        let text = """
            <?xml version='1.0'?><!-- a > b --> <Error a="x>y" b='"' ><Code ><![CDATA[A<&B]]>C</Code >
            <Resource/><Message>&#x416;&#33;&apos;&quot;&gt;ü</Message></Error>
            """ + "\n"
        #expect(S3XML.failure(Array(text.utf8)) == .init(code: "A<&BC", message: "Ж!'\">ü"))
    }

    @Test(arguments: [
        "<Error><Code>a</Error></Code>", "<Error></Error><Error></Error>", "<Error>&nbsp;</Error>", "x<Error/>",
        "<!DOCTYPE Error><Error/>", "<Error>&#x110000;</Error>", "<Error a=\"></Error>", "<>", "<Error/></Error>",
        "<", "</", "<Error", "<Error/", "&", "<!--", "<Error>&amp</Error>", String(repeating: "<a>", count: 100_000),
    ])
    func refusesWhatIsNotWellFormed(_ text: String) { #expect(S3XML.failure(Array(text.utf8)) == nil) }

    @Test(arguments: ["", "<html><body>gateway</body></html>", "<Error><Code>x", "{\"a\": 1}", "\u{0}"])
    func knowsWhatIsNeither(_ text: String) {
        #expect(S3XML.listing(Array(text.utf8)) == nil)
        #expect(S3XML.failure(Array(text.utf8)) == nil)
    }

    /// Foundation's parser did that, and took the snapshotter with it.
    @Test func flippedBitsNeverEndTheProcess() {
        let contents = (0..<20).map { number in
            """
            <Contents><Key>volumes/vol-\(number)/data/00/a&amp;b</Key><LastModified>2026-11-26T12:55:11Z</LastModified>\
            <ETag>&quot;0123456789abcdef&quot;</ETag><Size>4711</Size><StorageClass>STANDARD</StorageClass></Contents>
            """
        }
        let sound = Array(
            """
            <?xml version="1.0" encoding="UTF-8"?>
            <ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>volumes/</Prefix>\
            <MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>\(contents.joined())</ListBucketResult>
            """.utf8)
        #expect(S3XML.listing(sound)?.keys.count == 20)
        var random = SeededRandom(seed: 9)
        for _ in 0..<4000 {
            var bytes = sound
            for _ in 0..<3 { bytes[random.below(bytes.count)] ^= 1 << UInt8(random.below(8)) }
            if let listing = S3XML.listing(bytes) { #expect(listing.keys.count <= 20) }
            _ = S3XML.listing(Array(bytes.prefix(random.below(bytes.count))))
            _ = S3XML.failure(bytes)
        }
    }
}
