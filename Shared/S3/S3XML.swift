// SPDX-License-Identifier: Apache-2.0
import Foundation
import FoundationXML

/// The two documents of S3 that we read: the answer of ListObjectsV2 and an error.
enum S3XML {
    struct Listing: Equatable {
        var keys: [String] = []
        var isTruncated = false
    }

    struct Failure: Equatable {
        var code = ""
        var message = ""
        /// Where the bucket is, if the request went to another region.
        var region: String?
    }

    /// - Returns: nil if it is no such document.
    static func listing(_ bytes: [UInt8]) -> Listing? {
        guard let elements = Elements.parse(bytes), elements.root == "ListBucketResult" else { return nil }
        return Listing(
            keys: elements.texts["ListBucketResult/Contents/Key"] ?? [],
            isTruncated: elements.texts["ListBucketResult/IsTruncated"]?.first == "true")
    }

    /// - Returns: nil if it is no such document: a proxy on the way may have answered.
    static func failure(_ bytes: [UInt8]) -> Failure? {
        guard let elements = Elements.parse(bytes), elements.root == "Error" else { return nil }
        return Failure(
            code: elements.texts["Error/Code"]?.first ?? "", message: elements.texts["Error/Message"]?.first ?? "",
            region: elements.texts["Error/Region"]?.first)
    }

    /// The text of each element, by its path.
    private final class Elements: NSObject, XMLParserDelegate {
        private(set) var texts: [String: [String]] = [:]
        private(set) var root = ""
        private var path: [String] = []
        private var text = ""

        static func parse(_ bytes: [UInt8]) -> Elements? {
            let elements = Elements()
            let parser = XMLParser(data: Data(bytes))
            parser.shouldResolveExternalEntities = false
            parser.delegate = elements
            // The parser is content with a document that ends early.
            return parser.parse() && elements.path.isEmpty ? elements : nil
        }

        func parser(
            _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
            attributes: [String: String]
        ) {
            if path.isEmpty { root = name }
            path.append(name)
            text = ""
        }

        func parser(_ parser: XMLParser, foundCharacters characters: String) { text += characters }

        func parser(
            _ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?
        ) {
            texts[path.joined(separator: "/"), default: []].append(text)
            path.removeLast()
            text = ""
        }
    }
}
