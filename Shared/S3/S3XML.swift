// SPDX-License-Identifier: Apache-2.0

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
        guard let texts = XMLTexts(bytes), texts.root == "ListBucketResult" else { return nil }
        return Listing(
            keys: texts["ListBucketResult/Contents/Key"],
            isTruncated: texts["ListBucketResult/IsTruncated"].first == "true")
    }

    /// - Returns: nil if it is no such document: a proxy on the way may have answered.
    static func failure(_ bytes: [UInt8]) -> Failure? {
        guard let texts = XMLTexts(bytes), texts.root == "Error" else { return nil }
        return Failure(
            code: texts["Error/Code"].first ?? "", message: texts["Error/Message"].first ?? "",
            region: texts["Error/Region"].first)
    }
}
